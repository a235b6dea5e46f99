"""A connected run: the same program on the same ledger, with reports to an endpoint.

Nothing of it is made in a disconnected run.
"""
