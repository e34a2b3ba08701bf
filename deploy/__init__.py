"""How Headrace is run. No service imports anything from here."""
