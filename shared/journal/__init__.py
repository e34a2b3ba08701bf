"""The journal in Redis: keys, entries, the atomic commit, the reader, and checks for lost data."""
