"""Symbol, name and decimals of the tokens of the streams."""
