"""Encoder and decoder models in the layout of Whisper: one text for a whole phrase, piece by piece."""
