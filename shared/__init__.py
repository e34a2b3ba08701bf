"""Shared by every service: events, the rules of a stream, the journal, Redis, the web, logs."""

__version__ = "0.1.0"
"""The version of the distribution; pyproject.toml reads it from here."""
