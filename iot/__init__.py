"""The command iot: every command line of the system, in groups."""
