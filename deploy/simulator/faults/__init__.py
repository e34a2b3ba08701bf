"""Faults of the simulated network. Tests and people can switch them on."""
