"""Horizon: transactions over SSE, its history, and checks that no ledger is missing."""
