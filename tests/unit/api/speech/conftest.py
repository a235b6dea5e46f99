"""A model that reads tones."""

from tests.support.speech_site import tones

__all__ = ["tones"]
