"""Inbox → landing → raw tables: every file a receipt, every row a number, every value as sent."""
