"""The usage ledger: a signed log of every use, reports on it, and its exports."""
