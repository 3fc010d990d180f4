"""The first door: a plan becomes a footprint."""
