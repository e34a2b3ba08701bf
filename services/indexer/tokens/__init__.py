"""What tokens tell of themselves: symbol, name and decimals, read through RPC."""
