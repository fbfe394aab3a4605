"""The order of a night, written once."""
