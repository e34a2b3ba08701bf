"""Headrace on one machine: the runner, a gateway and a real Redis."""
