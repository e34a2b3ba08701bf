"""From a transaction's XDR to events of streams and tokens, and the proof of them. Pure."""
