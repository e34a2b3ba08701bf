"""Transactions that clients submit: checked, simulated, queued, and executed in a ledger."""
