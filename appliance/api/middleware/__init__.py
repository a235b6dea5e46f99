"""What stands between the connection and the routes, one concern a file."""
