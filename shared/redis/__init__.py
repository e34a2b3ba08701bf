"""Connections to Redis: URLs, the current primary, pools, leases and durability checks."""
