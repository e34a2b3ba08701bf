"""Shared by all endpoints: requests, fields, headers, rate limits, idempotency, readiness."""
