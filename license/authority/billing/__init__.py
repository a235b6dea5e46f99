"""Prices, bills, and the comparison of evidence with reports."""
