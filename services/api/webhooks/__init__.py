"""Webhooks in the API: their owners create, read, change, test and delete them.

Dispatchers (services/webhooks) deliver the events.

See docs/decisions/0130-a-webhook-keeps-the-rights-of-its-creation.md.
"""
