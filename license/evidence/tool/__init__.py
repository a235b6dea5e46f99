"""`usage-verify.pyz`: the audit as one file for an auditor, and the builder of that file."""
