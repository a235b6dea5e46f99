"""A connected run: the same program on the same ledger, with an endpoint that is told what was used.

    lease.py      the key is checked before the first answer; what is granted stands in for a licence
    schedule.py   when to report, and until when to answer without word from the endpoint: pure
    runs.py       what a report says, read from the ledger
    reporter.py   the thread that reports
    preview.py    what leaves the host, byte for byte
    diagnose.py   what is wrong on the way to the endpoint

Nothing of it is made in a disconnected run.
"""
