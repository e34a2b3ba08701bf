"""Subscriptions: from the bytes of a connection to events, with resume and cursors."""
