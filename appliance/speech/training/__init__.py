"""Custom speech: a Whisper folder learns from recordings with transcripts. Needs the extra `train`."""
