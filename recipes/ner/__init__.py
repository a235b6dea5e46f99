"""Training of the bundled models for named entities. Needs the dependency group `train`."""
