"""Messages of the speech protocol: header lines, an empty line, JSON; or a length, header lines, audio.

Pure: text and bytes in, values out. Published rules: Speech service WebSocket protocol, "Message headers" and
"Binary WebSocket messages".
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

MAX_HEADER_BYTES: Final = 8_192
MAX_CONTEXT_CHARACTERS: Final = 256 * 1024
_ID: Final = re.compile(r"[0-9A-Za-z-]{1,64}")
_BAD_DATA, _BAD_PROTOCOL = 1007, 1002


class ProtocolError(Exception):
    """The client broke the protocol: the connection is to be closed.

    Args:
        code: Close code of RFC 6455.
        reason: What was wrong, for the application's error details.
        request_id: The turn that was to begin; empty where it is about none.
    """

    def __init__(self, code: int, reason: str, request_id: str = "") -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.request_id = request_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message of the client.

    Attributes:
        path: What it is, such as `speech.context`; lower case.
        request_id: The turn it is of, as it was spelled; empty where it is of none.
        headers: All headers, names in lower case.
        body: Text after the header of a text message.
        audio: Payload of a binary message; None in a text message.
    """

    path: str
    request_id: str
    headers: Mapping[str, str]
    body: str = ""
    audio: bytes | None = None

    def json(self) -> dict[str, Any]:
        """The body as an object; an empty one where there is none.

        Raises:
            ProtocolError: It is something else.
        """
        if not self.body.strip():
            return {}
        if len(self.body) > MAX_CONTEXT_CHARACTERS:
            raise ProtocolError(_BAD_DATA, f"the body of {self.path} is too long")
        try:
            value = json.loads(self.body)
        except (ValueError, RecursionError):
            raise ProtocolError(_BAD_DATA, f"the body of {self.path} is not readable JSON") from None
        if not isinstance(value, dict):
            raise ProtocolError(_BAD_DATA, f"the body of {self.path} is not a JSON object")
        return value


def read_text(text: str) -> Message:
    """Read a text message.

    Raises:
        ProtocolError: It has no empty line, no path, or a malformed id.
    """
    head, separator, body = text.partition("\r\n\r\n")
    if not separator:
        raise ProtocolError(_BAD_DATA, "a text message has no empty line after its headers")
    if len(head) > MAX_HEADER_BYTES:
        raise ProtocolError(_BAD_DATA, f"the headers of a message are longer than {MAX_HEADER_BYTES} bytes")
    headers = _headers(head)
    return Message(path=_path(headers), request_id=_request_id(headers), headers=headers, body=body)


def read_binary(data: bytes) -> Message:
    """Read a binary message.

    Raises:
        ProtocolError: Its header length does not fit, or it has no path or id.
    """
    size = int.from_bytes(data[:2], "big")
    if len(data) < 2 or size > MAX_HEADER_BYTES or size + 2 > len(data):
        raise ProtocolError(_BAD_DATA, "the header length of a binary message does not fit")
    try:
        head = data[2 : 2 + size].decode("ascii")
    except UnicodeDecodeError:
        raise ProtocolError(_BAD_DATA, "the headers of a binary message are not ASCII") from None
    headers = _headers(head)
    request_id = _request_id(headers)
    if not request_id:
        raise ProtocolError(_BAD_PROTOCOL, "an audio message has no X-RequestId")
    return Message(path=_path(headers), request_id=request_id, headers=headers, audio=data[2 + size :])


def write(path: str, request_id: str, body: Mapping[str, Any], *, heard: int | None = None) -> str:
    """A message to the client; header names and the id are spelled as clients insist on.

    Args:
        path: What it is.
        request_id: The turn it is of, as the client spelled it.
        body: Its content.
        heard: Ticks of the turn that the client need not send again; None says nothing of it.
    """
    lines = [f"Path:{path}", f"X-RequestId:{request_id}", "Content-Type:application/json; charset=utf-8"]
    if heard is not None:
        lines += [f"X-Continuation-Audio-Streams-1-Offset:{heard}", f"X-Continuation-Token:{request_id}"]
    return "\r\n".join((*lines, "", json.dumps(body, ensure_ascii=False, separators=(",", ":"))))


def failure(request_id: str, status: str, reason: str, *, begun: bool) -> list[str]:
    """Messages that end a turn with an error, for clients that do not understand the close code behind them.

    Args:
        request_id: The turn, as the client spelled it.
        status: `RecognitionStatus` of the error.
        reason: What was wrong.
        begun: Whether `turn.start` was sent already.
    """
    body = {"RecognitionStatus": status, "Offset": 0, "Duration": 0, "Message": reason}
    return [
        *([] if begun else [write("turn.start", request_id, {})]),
        write("speech.phrase", request_id, body),
        write("turn.end", request_id, {}),
    ]


def _headers(head: str) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in head.split("\r\n"):
        name, colon, value = line.partition(":")
        if not line:
            continue
        if not colon:
            raise ProtocolError(_BAD_DATA, "a header line of a message has no colon")
        headers[name.strip().lower()] = value.strip()
    return headers


def _path(headers: Mapping[str, str]) -> str:
    path = headers.get("path", "").lower()
    if not path:
        raise ProtocolError(_BAD_PROTOCOL, "a message has no Path")
    return path


def _request_id(headers: Mapping[str, str]) -> str:
    identifier = headers.get("x-requestid", "")
    if identifier and _ID.fullmatch(identifier) is None:
        raise ProtocolError(_BAD_PROTOCOL, "the X-RequestId of a message is malformed")
    return identifier
