"""The feed: from the journal to this process, by pub/sub, with recent events kept in memory."""
