"""The API: owns the streams that are made here and reads those of the chain."""
