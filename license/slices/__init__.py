"""Slices of a plan that blocks: what replicas and the desk of a site tell each other."""
