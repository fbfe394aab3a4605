"""Signatures: who signed an envelope, whether it is what was signed, and what can be shown of that later.

A shared room like `store`: reading (extract) asks it what a signature covers, and it knows no other room.
"""
