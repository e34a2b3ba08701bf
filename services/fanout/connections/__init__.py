"""Connections of subscribers: the hub, queues, heartbeats, limits, and their end."""
