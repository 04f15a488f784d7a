"""The version of the project: here alone."""

__version__ = "0.2.0"
