"""Admission, answer and usage record, without HTTP: what every request passes through."""
