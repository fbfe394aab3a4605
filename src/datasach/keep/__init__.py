"""Keeping what was published: scrub, backup, restore, retention, the machine's health, the bill of materials."""
