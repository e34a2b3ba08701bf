"""Models of what the API answers and publishes, for its documents."""
