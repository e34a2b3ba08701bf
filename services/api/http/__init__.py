"""What every endpoint shares: requests, fields, headers, rate limits, idempotency, readiness."""
