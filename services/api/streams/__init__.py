"""Streams: endpoints, use cases, lists, summaries, notices of their ends."""
