"""Headrace on one machine: the runner, a real Redis, the simulated Stellar network."""
