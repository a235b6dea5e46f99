"""What is wrong with audio, as HTTP says it."""

from appliance.api.errors import Problem
from appliance.speech.audio.errors import AudioError, AudioTooLong


def audio_problem(error: AudioError | AudioTooLong) -> Problem:
    """413 for audio that is too long, 400 for audio that cannot be read."""
    if isinstance(error, AudioTooLong):
        return Problem(413, error.code, f"{error.message[:1].upper()}{error.message[1:]}.")
    return Problem(
        400,
        "InvalidArgument",
        "The audio cannot be read.",
        inner=(error.code, f"{error.message}; {error.hint}"),
    )
