"""Stellar RPC: poll getEvents, and read the transactions of these events."""
