"""Which version of a record counts, and what the two channels say of the same visit."""
