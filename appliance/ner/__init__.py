"""The engine of named entity recognition: text to entities."""
