"""A connected run: the same program on the same ledger, with an endpoint that is told what was used.

Nothing of it is made in a disconnected run.
"""
