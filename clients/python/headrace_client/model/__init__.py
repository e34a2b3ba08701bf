"""What the server returns, as typed values: events, streams, tokens, pages. Pure."""
