"""The console: a web page and its files."""
