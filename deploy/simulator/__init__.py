"""A simulated Stellar network: Horizon and RPC on one port, over one chain of ledgers.

`chain` and `contracts` are pure. `network` closes ledgers. `horizon` and `rpc` answer requests.
`faults` breaks answers on demand. `control` is the control API under `/sim/`. It imports no
service, so tests can compare the services with it.

See docs/decisions/0040-simulator-is-compared-with-real-servers.md.
"""
