"""The feed receives the journal's events over pub/sub and keeps the recent ones in memory."""
