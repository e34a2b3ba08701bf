"""The HTTP side of a delivery: signature, connection, limits and the outcome.

It knows nothing of the journal, of order or of retries. It imports nothing of the rest of the
service but its settings and metrics.
"""
