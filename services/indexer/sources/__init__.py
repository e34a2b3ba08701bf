"""Sources of chain events: Horizon, Stellar RPC, and failover between the two."""
