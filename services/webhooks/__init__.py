"""The webhooks service: dispatchers that deliver the events of the journal to webhook endpoints."""
