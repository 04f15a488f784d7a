"""Kafka, Redis, Flink and the bridge as supervised processes on this machine, without Docker."""
