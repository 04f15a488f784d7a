"""Clients of Kafka: how they connect, read, write and administrate, and why they are refused."""
