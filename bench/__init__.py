"""Measurements against the limit that matters: the bare model on the same cores in the same run."""
