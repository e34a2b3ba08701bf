"""Streams: endpoints, use cases, lists, summaries, and notices that a stream runs out."""
