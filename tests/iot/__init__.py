"""The command iot."""
