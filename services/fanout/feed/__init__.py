"""From the journal to this process: pub/sub, recent events, and what a failover lost."""
