"""Faults of the simulated network that can be switched on."""
