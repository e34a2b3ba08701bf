"""The connections of subscribers: the hub, sending, heartbeats, limits, and how they end."""
