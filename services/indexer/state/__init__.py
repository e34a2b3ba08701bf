"""The audit: reads the contract's own state through RPC, and compares the stored streams."""
