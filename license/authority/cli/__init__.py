"""The `license` command, one file for each thing a vendor does."""
