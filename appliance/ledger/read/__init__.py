"""Reading the log: reports, sums, lookups, proofs and fork checks."""
