"""iot deadletter: list the dead letters, write them to a file, and send the file's again, repaired."""
