"""Sites with a licence for speech, and a model that reads tones."""

from tests.support.speech_site import new_site, tones, vendor

__all__ = ["new_site", "tones", "vendor"]
