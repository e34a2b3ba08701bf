"""The API: it owns the streams that are created through it, and reads the streams of the chain."""
