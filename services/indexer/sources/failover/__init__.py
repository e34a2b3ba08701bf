"""Two sources as one: failover, and the second source for ledgers that the first lacks."""
