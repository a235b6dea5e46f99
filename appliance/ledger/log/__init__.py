"""Writing the log: entries, commits, day keys, checkpoints, recovery and scrubbing."""
