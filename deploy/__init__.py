"""How Headrace is run; nothing in here is imported by a service."""
