"""Two sources as one: failover, and a fallback for ledgers that the first source lacks."""
