"""One running speech service; its model reads tones."""

from tests.support.speech_site import client, new_site, service, site, tones, vendor

__all__ = ["client", "new_site", "service", "site", "tones", "vendor"]
