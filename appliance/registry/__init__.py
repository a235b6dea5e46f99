"""Installed models: add, import, quantize, list and remove."""
