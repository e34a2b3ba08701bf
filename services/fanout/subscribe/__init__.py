"""A subscription request: permissions, position, replay, and the start of live events."""
