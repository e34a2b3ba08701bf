"""Stellar RPC: getEvents, polled, and the transactions of these events."""
