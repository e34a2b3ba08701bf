"""The state of the whole system: `GET /v1/system`."""
