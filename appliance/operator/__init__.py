"""What an operator types beside the running service: licence, model keys and clock, by file or by network."""
