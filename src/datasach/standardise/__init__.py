"""Raw text → typed, comparable values; every changed value keeps what it was and why it changed."""
