"""Attacks on live, unmodified processes by real clients; each file is a row of docs/threat-model.md."""

from tests.support.speech_site import tones, vendor

__all__ = ["tones", "vendor"]
