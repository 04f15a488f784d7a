"""Simulated sensors, readings from files, and the producer that publishes them."""
