"""Commands beside the service itself: `token`."""
