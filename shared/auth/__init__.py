"""Tokens and tickets: how they are verified, issued and revoked."""
