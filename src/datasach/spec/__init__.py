"""What the project declares, read from YAML into frozen models. This room touches no data."""
