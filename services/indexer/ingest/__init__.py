"""From batches of a source to commits: start, checkpoints, gaps and recovery."""
