"""What is wrong, with whom, how often; and whether a database may go out."""
