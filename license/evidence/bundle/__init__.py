"""The files that carry evidence: exports, their manifest, and receipts."""
