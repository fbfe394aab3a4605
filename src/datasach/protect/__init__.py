"""Who may see what: zones, pseudonyms, consent, the access log, and the search for what got out."""
