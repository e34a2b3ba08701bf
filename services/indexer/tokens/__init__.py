"""Symbol, name and decimals of tokens, read from their contracts through RPC."""
