"""Speech recognition of a stream and of a file."""
