"""The domain: events, streams and their rules, positions, topics, contracts. Pure: no I/O."""
