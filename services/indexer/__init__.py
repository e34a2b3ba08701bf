"""The indexer: reads the chain and commits its events to the journal, each once, in order."""
