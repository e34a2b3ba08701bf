"""Transactions of the chain: prepared for a wallet, submitted when signed, and followed."""
