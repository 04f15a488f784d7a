"""Benchmarks that decide how things are done."""
