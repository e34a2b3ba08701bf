"""The contract's own state: read through RPC, and compared with the stored streams."""
