"""Partitions: which endpoints this dispatcher has, and for how long."""
