"""The simulated contracts: the stream contract and its token."""
