"""Errors of the speech service as callers get them: HTTP status for audio, close codes for a turn."""

from typing import Final

from appliance.api.errors import Problem
from appliance.api.speech.protocol import ProtocolError
from appliance.errors import (
    ApplianceError,
    Busy,
    InferenceFailed,
    LicenseRefusal,
    NotMetered,
    Stopping,
    UsageStoreUnavailable,
)
from appliance.speech.audio.errors import AudioError, AudioTooLong

_CODES: Final[dict[type[ApplianceError], int]] = {
    AudioError: 1007,
    LicenseRefusal: 1008,
    Stopping: 1001,
    Busy: 4429,
    InferenceFailed: 1011,
}

_STATUS: Final = {
    1001: "Error",  # the JavaScript SDK makes NoError of ServiceUnavailable
    1008: "Forbidden",
    1011: "Error",
    1013: "Error",
    4429: "TooManyRequests",
}


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


def close_frame(error: BaseException) -> tuple[int, str]:
    """Close code (RFC 6455) and reason for what ended a turn.

    1007 and 4429 make clients give up at once, 1011 and 1013 let them try again a few times, 1008 brings them
    back to a request to upgrade that is then refused with its own status.
    """
    if isinstance(error, ProtocolError):
        return error.code, error.reason
    if isinstance(error, UsageStoreUnavailable):
        return 1013, "the usage record could not be written, so the answer is withheld"
    if isinstance(error, NotMetered):
        return 1013, "usage could not be reported to the billing endpoint, so nothing is answered"
    if isinstance(error, LicenseRefusal) and error.code == "OutOfQuota":
        return 4429, error.message
    for kind, code in _CODES.items():
        if isinstance(error, kind):
            return code, error.message
    return 1011, "the service failed on this turn"


def failed_status(code: int, *, close_codes: bool) -> str:
    """`RecognitionStatus` that says the same as a close code; empty where the code itself is understood.

    The JavaScript SDK takes 1002, 1003, 1007 and 4000 for an error. At any other code it goes on waiting.

    Args:
        code: Close code.
        close_codes: Whether the client knows 4429, as the native SDK does: it gives up at once then, where it
            would take a status for something to try again.
    """
    return "" if close_codes and code == 4429 else _STATUS.get(code, "")
