"""Labelled text: documents, the formats they come in, and what is wrong with labels."""
