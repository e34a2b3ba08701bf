"""The HTTP API: creates and changes streams, and serves streams and past events."""
