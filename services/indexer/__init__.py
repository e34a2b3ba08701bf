"""The indexer: reads the chain and commits each of its events to the journal once, in order."""
