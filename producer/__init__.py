"""Simulated sensors, and the producer that publishes their readings."""
