"""The files that a transcript can be written to."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from appliance.speech.transcripts.subtitles import cues, srt, vtt


def _txt(transcript: Mapping[str, Any]) -> str:
    return "".join(f"{phrase['text']}\n" for phrase in transcript["phrases"])


def _json(transcript: Mapping[str, Any]) -> str:
    return f"{json.dumps(transcript, ensure_ascii=False, indent=2)}\n"


_WRITERS: Final[dict[str, Callable[[Mapping[str, Any]], str]]] = {
    "txt": _txt,
    "srt": lambda transcript: srt(cues(transcript)),
    "vtt": lambda transcript: vtt(cues(transcript)),
    "json": _json,
}
FORMATS: Final = tuple(_WRITERS)
"""Their names, which are the endings of the files."""


def written(transcript: Mapping[str, Any], kind: str) -> bytes:
    """Return the content of a file, UTF-8.

    Args:
        transcript: As an answer to `:transcribe`.
        kind: One of `FORMATS`: `txt` has a phrase a line, `srt` and `vtt` have cues, `json` has everything.
    """
    return _WRITERS[kind](transcript).encode("utf-8")
