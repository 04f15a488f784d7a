"""Readings from files, into topics of their own."""
