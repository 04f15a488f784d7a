"""Clients of Redis: how they connect, and why they are refused."""
