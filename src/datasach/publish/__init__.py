"""Accepted rows → snapshots that others read, and the books that prove nothing was lost on the way."""
