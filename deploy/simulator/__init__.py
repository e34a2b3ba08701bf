"""A simulated Stellar network: Horizon's and RPC's wire on one port, over one chain of ledgers.

`ledger` and `contract` are pure, `network` closes ledgers, `horizon`, `sse` and `rpc` answer,
`faults` and `misbehave` break things on demand, `control` is the surface under `/sim/`.
It imports none of the services, so that it can be their oracle.
"""
