"""What the demo asks each service, and how it shows the answers."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.request import Request

import click

from appliance.api import pages
from appliance.cli.demo.client import fetch
from appliance.config.products import CUSTOM_NER, SPEECH_TO_TEXT, Product

SENTENCES: Final = (
    ("en", "The World Health Organization sent Marie Duval from Geneva to Freetown on Monday."),
    ("de", "Angela Merkel traf in München Vertreter von Siemens und der Deutschen Bahn."),
    ("es", "Gabriel García Márquez nació en Aracataca y estudió en Zipaquirá."),
    ("ru", "Лев Толстой родился в Ясной Поляне и учился в Казанском университете."),
    ("zh-Hans", "鲁迅出生于绍兴。"),
    ("ar", "وُلد نجيب محفوظ في القاهرة وعمل في جامعة القاهرة."),
)
"""Each with its language."""
_COLOURS: Final = {"Person": "cyan", "Organization": "yellow", "Location": "green"}
RECORDING: Final = Path(pages.__file__).parent / "static" / "example.wav"
"""A sentence, read aloud; the home page of the speech service offers it too."""


@dataclass(frozen=True, slots=True)
class Showcase:
    """One service in the demo.

    Attributes:
        product: The service.
        heading: What is asked.
        ask: Asks a service at a URL; yields each answer with a line for people.
        own: How something of one's own is asked, with `{url}` for the service; may be empty.
    """

    product: Product
    heading: str
    ask: Callable[[str], Iterator[tuple[dict[str, Any], str]]]
    own: str = ""


def _ask_text(url: str) -> Iterator[tuple[dict[str, Any], str]]:
    for language, sentence in SENTENCES:
        answer = _recognize(url, language, sentence)
        yield answer, click.style(f"{language:9}", dim=True) + _highlight(sentence, answer["entities"])


def _recognize(url: str, language: str, sentence: str) -> dict[str, Any]:
    body = {
        "kind": "EntityRecognition",
        "analysisInput": {"documents": [{"id": "1", "language": language, "text": sentence}]},
        "parameters": {"stringIndexType": "UnicodeCodePoint"},
    }
    request = Request(  # noqa: S310 (a URL of our own making)
        f"{url}/language/:analyze-text?api-version=2023-04-01",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    reply, headers = fetch(request)
    entities = reply["results"]["documents"][0]["entities"]
    return {"text": sentence, "entities": entities, "usage_record": headers.get("Usage-Record")}


def _highlight(sentence: str, entities: list[dict[str, Any]]) -> str:
    parts = []
    position = 0
    for entity in entities:
        start, end = entity["offset"], entity["offset"] + entity["length"]
        colour = _COLOURS.get(entity["category"], "magenta")
        found = click.style(sentence[start:end], fg=colour, bold=True)
        parts += [sentence[position:start], found, click.style(f"·{entity['category']}", fg=colour, dim=True)]
        position = end
    return "".join([*parts, sentence[position:]])


def _ask_speech(url: str) -> Iterator[tuple[dict[str, Any], str]]:
    request = Request(  # noqa: S310 (a URL of our own making)
        f"{url}/speech/recognition/conversation/cognitiveservices/v1?language=en-US&format=detailed",
        data=RECORDING.read_bytes(),
        headers={"Content-Type": "audio/wav"},
    )
    reply, headers = fetch(request)
    best = (reply.get("NBest") or [{}])[0]
    answer = {
        "recording": RECORDING.name,
        "text": best.get("Display", ""),
        "usage_record": headers.get("Usage-Record"),
    }
    yield answer, f"{RECORDING.name}  {click.style(answer['text'], fg='cyan', bold=True)}"


_OWN_RECORDING: Final = (
    "curl --data-binary @FILE.wav -H 'Content-Type: audio/wav' "
    "'{url}/speech/recognition/interactive/cognitiveservices/v1?language=en-US'"
)
SHOWCASES: Final = {
    CUSTOM_NER.name: Showcase(CUSTOM_NER, "Sentences that the model has not seen", _ask_text),
    SPEECH_TO_TEXT.name: Showcase(SPEECH_TO_TEXT, "A sentence, dictated", _ask_speech, _OWN_RECORDING),
}
