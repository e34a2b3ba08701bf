"""Webhooks: what the API and the dispatchers share.

The API stores endpoints, and dispatchers (services/webhooks) deliver events to them. Each structure
in Redis has a module of its own here.

See docs/decisions/0127-webhooks-are-delivered-from-a-cursor.md.
"""
