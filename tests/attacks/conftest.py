"""Attacks on live, unmodified processes; each file is a row of docs/threat-model.md."""

from tests.support.speech_site import tones

__all__ = ["tones"]
