"""A simulated Stellar RPC: JSON-RPC methods, parameters and event queries."""
