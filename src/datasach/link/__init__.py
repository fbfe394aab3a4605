"""Which records are the same person. Right first: what is contested stays apart and goes to people."""
