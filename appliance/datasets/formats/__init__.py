"""Formats of label files: each is told by content, read, and written where it can hold the labels.

`spans/` holds those whose labels are places in a text, `tokens/` those that have a tag for each word.
"""
