"""Recordings on disk to transcripts on disk: what is to be made, what is made already, many at once."""
