"""Formats that list words, each with its tag."""
