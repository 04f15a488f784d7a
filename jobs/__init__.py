"""The Flink job: its SQL, how it is declared, and how it gets onto a cluster."""
