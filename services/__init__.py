"""The three services; each imports `shared` and itself, never another."""
