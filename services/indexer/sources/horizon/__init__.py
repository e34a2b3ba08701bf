"""Horizon: transactions over SSE, the range of its ledgers, and the check that none is missing."""
