"""Symbol, name and decimals of the tokens of all streams."""
