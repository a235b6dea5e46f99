"""Recordings with transcripts: lists as people and clouds write them, and the audio that they name."""
