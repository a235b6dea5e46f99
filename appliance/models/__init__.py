"""Model files and packages, whatever their task."""
