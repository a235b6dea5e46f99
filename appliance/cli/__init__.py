"""The `appliance` command, one file for each command."""
