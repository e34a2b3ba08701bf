"""Commit the batches of a source: the start, checkpoints, gaps and recovery."""
