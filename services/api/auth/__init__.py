"""Login with a wallet (SEP-10), API keys, tokens and permissions."""
