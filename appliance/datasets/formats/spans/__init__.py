"""Formats whose labels are places in a text."""
