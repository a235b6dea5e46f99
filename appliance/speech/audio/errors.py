"""What can be wrong with audio that a caller sends."""

from typing import Final

from appliance.errors import ApplianceError

CONVERT: Final = "convert it to WAV, FLAC, MP3, or Opus in Ogg or WebM"
"""What helps where a kind of file is not read."""


class AudioError(ApplianceError):
    """The audio cannot be read: broken, cut short, or of a format that is not supported."""

    code = "InvalidAudio"
    default_hint = "send WAV (PCM 8 to 32 bit, float, A-law, mu-law), FLAC, MP3, or Opus in Ogg or WebM"


class AudioTooLong(ApplianceError):
    """The audio is longer, or has more bytes, than one request may carry."""

    code = "AudioTooLong"
