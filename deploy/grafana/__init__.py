"""The dashboard for Grafana, and the files with which Grafana finds it."""
