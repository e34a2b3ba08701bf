"""What every service shares: events, the stream's rules, the wire, the journal, the commit."""
