"""A simulated Stellar network: Horizon and RPC on one port, with the same chain of ledgers.

`chain` and `contracts` are pure. `network` closes ledgers. `horizon` and `rpc` answer requests.
`faults` makes answers fail on demand. `control` is the control API under `/sim/`. No module imports
a service, so tests can compare the services with the simulator.

See docs/decisions/0040-simulator-is-compared-with-real-servers.md.
"""
