"""A client of a running service: entities of many texts, by jobs, in the order of the texts."""

import http.client
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener

from appliance.datasets.document import Label
from appliance.errors import ApplianceError

PER_JOB: Final = 20
"""Documents of a job: as many as one page of results holds."""
CHARACTERS_PER_JOB: Final = 100_000
TIMEOUT_SECONDS: Final = 60
MAX_WAIT_SECONDS: Final = 600
MAX_REPLY_BYTES: Final = 64 << 20
_VERSION: Final = "2023-04-01"
_BUSY: Final = frozenset({429, 503})
_TRIES: Final = 20


class NotAnswered(ApplianceError):
    """A running service did not answer, or refused to."""

    code = "NotAnswered"


class _NoRedirect(HTTPRedirectHandler):
    """Follows nothing: an access key and texts go to the address that a person named, and nowhere else."""

    def redirect_request(self, *_: Any) -> None:
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceClient:
    """Asks a custom model of a running service.

    Attributes:
        url: Address of the service, without a path.
        project, deployment: The model.
        key: Access key; the empty string where none is asked for.
    """

    url: str
    project: str
    deployment: str
    key: str = ""

    def ask(self, texts: Sequence[str]) -> Iterator[list[tuple[Label, ...]]]:
        """Yield the entities of the texts, a job's at a time; empty texts are not sent and have none.

        Raises:
            NotAnswered: The service cannot be reached, refuses, or answers what does not fit the texts.
        """
        for start, end in batches(texts):
            part = texts[start:end]
            sent = {str(number): text for number, text in enumerate(part) if text.strip()}
            answered = self._job(sent) if sent else {}
            yield [answered.get(str(number), ()) for number in range(len(part))]

    def _job(self, texts: dict[str, str]) -> dict[str, tuple[Label, ...]]:
        parameters = {
            "projectName": self.project,
            "deploymentName": self.deployment,
            "stringIndexType": "UnicodeCodePoint",
        }
        body = {
            "analysisInput": {"documents": [{"id": name, "text": text} for name, text in texts.items()]},
            "tasks": [{"kind": "CustomEntityRecognition", "parameters": parameters}],
        }
        _, headers = self._send(
            f"/language/analyze-text/jobs?api-version={_VERSION}", json.dumps(body).encode()
        )
        place = urlsplit(str(headers.get("operation-location", "")))
        deadline = time.monotonic() + MAX_WAIT_SECONDS
        while True:
            state, headers = self._send(f"{place.path}?{place.query}", None)
            if state.get("status") not in {"notStarted", "running"}:
                return _entities(state, texts)
            if time.monotonic() > deadline:
                raise NotAnswered(
                    f"a job of the service did not end in {MAX_WAIT_SECONDS} seconds",
                    hint="ask again when it has less to do",
                )
            time.sleep(min(2.0, _number(headers.get("retry-after-ms"), 200) / 1000))

    def _send(self, path: str, body: bytes | None) -> tuple[dict[str, Any], Any]:
        headers = {"Content-Type": "application/json"}
        if self.key:
            headers["Ocp-Apim-Subscription-Key"] = self.key
        request = Request(self.url.rstrip("/") + path, data=body, headers=headers)  # noqa: S310
        opener = build_opener(ProxyHandler({}), _NoRedirect)
        for last in (turn == _TRIES - 1 for turn in range(_TRIES)):
            try:
                with opener.open(request, timeout=TIMEOUT_SECONDS) as reply:
                    return _object(reply.read(MAX_REPLY_BYTES + 1)), reply.headers
            except HTTPError as error:
                if error.code not in _BUSY or last:
                    raise self._refusal(error) from error
                time.sleep(min(5.0, max(0.2, _number(error.headers.get("Retry-After"), 1))))
            except (URLError, http.client.HTTPException, OSError, ValueError) as error:
                reason = getattr(error, "reason", error)
                raise NotAnswered(
                    f"{self.url} does not answer: {reason}", hint="start the service, or name it with --url"
                ) from error
        raise AssertionError  # the last turn returns or raises

    def _refusal(self, error: HTTPError) -> NotAnswered:
        asked = f"{self.project}/{self.deployment}"
        hints = {
            401: "give the access key in a file with --key-file",
            404: f"`curl {self.url.rstrip('/')}/models` lists what is served; --model names one of them",
        }
        try:
            found = json.loads(error.read(65_536))["error"]
            said = str((found.get("innererror") or {}).get("message") or found["message"])[:500]
        except (ValueError, KeyError, TypeError, AttributeError):
            said = str(error.reason)[:100]
        return NotAnswered(
            f"the service refused {asked}: {error.code}, {said}",
            hint=hints.get(error.code, "read the message"),
        )


def batches(texts: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Yield (first, end) of texts that go in one job; a text longer than a job's limit goes alone."""
    start = size = 0
    for index, text in enumerate(texts):
        full = index - start == PER_JOB or size + len(text) > CHARACTERS_PER_JOB
        if index > start and full:
            yield start, index
            start, size = index, 0
        size += len(text)
    if start < len(texts):
        yield start, len(texts)


def _object(data: bytes) -> dict[str, Any]:
    if len(data) > MAX_REPLY_BYTES:
        raise NotAnswered("the reply is too large", hint="check that --url names the service")
    if not data:
        return {}
    try:
        found = json.loads(data)
    except ValueError as error:
        raise _unfit() from error
    if not isinstance(found, dict):
        raise _unfit()
    return found


def _number(value: str | None, other: float) -> float:
    try:
        return float(value or other)
    except ValueError:
        return other


def _entities(state: dict[str, Any], texts: dict[str, str]) -> dict[str, tuple[Label, ...]]:
    try:
        results = state["tasks"]["items"][0]["results"]
        if results["errors"]:
            said = results["errors"][0]["error"]
            raise NotAnswered(f"the service refused a text: {str(said.get('message'))[:300]}")
        found = {document["id"]: _labels(document, texts) for document in results["documents"]}
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise NotAnswered(
            f"a job of the service ended as {str(state.get('status'))[:40]}, without results",
            hint="look into the log of the service",
        ) from error
    if found.keys() != texts.keys():
        raise _unfit()
    return found


def _labels(document: dict[str, Any], texts: dict[str, str]) -> tuple[Label, ...]:
    text = texts.get(document["id"], "")
    labels = []
    for entity in document["entities"]:
        start, end = entity["offset"], entity["offset"] + entity["length"]
        if text[start:end] != entity["text"]:
            raise _unfit()
        labels.append(Label(start, end, str(entity["category"])))
    return tuple(sorted(labels))


def _unfit() -> NotAnswered:
    return NotAnswered(
        "the reply does not fit what was asked", hint="check that --url names a service of this software"
    )
