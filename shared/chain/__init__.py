"""What is read from the chain: XDR, the decoder of events, and a client for Stellar RPC."""
