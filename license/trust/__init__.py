"""Signed notes, trust roots, and delegations from a root to an issuer."""
