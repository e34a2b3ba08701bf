"""Delivering: which endpoint gets which event, in which order, and how often it is tried."""
