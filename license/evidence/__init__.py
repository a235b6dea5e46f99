"""Usage evidence both sides of the gap must agree on: entries, tree, checkpoints, and the check of them all.

Standard library, `cryptography` and `license` only, so an auditor needs nothing of the appliance to run it.
Formats: `docs/formats.md`, part Evidence.
"""
