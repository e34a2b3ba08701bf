"""The history of events: endpoints, pages and CSV."""
