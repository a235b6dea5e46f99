"""What a model answers to labelled documents, and how right it is."""
