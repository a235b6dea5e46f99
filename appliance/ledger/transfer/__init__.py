"""Carrying evidence out: exports, receipts and retention."""
