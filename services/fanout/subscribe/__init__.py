"""A subscription request: its rights, its position, the replay, and the hand-over to the hub."""
