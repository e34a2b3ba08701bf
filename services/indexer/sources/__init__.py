"""Sources of chain events: Horizon, Stellar RPC, and both with failover."""
