"""What an operator does to a running system, as functions that print nothing.

A command line, an HTTP API or a test calls them, and is told of the progress by a callback.
"""
