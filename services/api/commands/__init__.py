"""Commands of `python -m services.api`: `token`."""
