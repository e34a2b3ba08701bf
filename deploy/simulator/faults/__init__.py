"""Faults of the simulated network, which tests and people can switch on."""
