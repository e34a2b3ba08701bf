"""Grafana's dashboard and how it finds it."""
