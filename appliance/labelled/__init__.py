"""Labelled text: the project file of custom NER, CoNLL and JSONL, what may be wrong in them, and splits."""
