"""Transcripts of whole recordings: as an object, as subtitles, as text."""
