"""Decode a transaction's XDR into events of streams and tokens, and prove them. Pure."""
