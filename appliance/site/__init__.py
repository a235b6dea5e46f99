"""The desk of a site: it divides one licence among replicas, and counts what they report."""
