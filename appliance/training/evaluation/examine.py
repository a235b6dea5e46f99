"""What a model folder answers to labelled documents, through the engine that serves."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from appliance.datasets.document import Label, LabelledDocument
from appliance.datasets.language_tags import canonical
from appliance.ner.engine import NerEngine
from appliance.ner.model_folder import ModelFolder
from appliance.ner.queue import Room
from appliance.ner.text_request import TextRequest
from appliance.training.evaluation.scoring import Scores, score, score_by_language
from appliance.training.label_spans import trim_labels

AT_ONCE: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """Entities found in each document with their confidence, in order, and how long that took.

    Attributes:
        found: Labels of each document.
        scores: Confidence of each of them, 0…1.
        tokens: Tokens computed, padding included.
        seconds: Wall-clock seconds of one session.
        cpu_seconds: Processor seconds of the same, cutting and decoding included.
    """

    found: tuple[tuple[Label, ...], ...]
    scores: tuple[tuple[float, ...], ...]
    tokens: int
    seconds: float
    cpu_seconds: float = 0.0


def answers(
    folder: ModelFolder, texts: Sequence[str | TextRequest], told: Callable[[int], None] | None = None
) -> Answers:
    """Ask a model every text; `told` hears how many are done.

    A text without a request around it is in the model's own language.

    Raises:
        ModelError: The model cannot be loaded.
    """
    tokens = 0

    def observe(_windows: int, size: int) -> None:
        nonlocal tokens
        tokens += size

    engine = NerEngine.load(folder, sessions=1, room=Room(tokens=1 << 24), observe=observe)
    found: list[tuple[Label, ...]] = []
    scores: list[tuple[float, ...]] = []
    began, cpu_began = time.monotonic(), time.process_time()
    requests = [text if isinstance(text, TextRequest) else TextRequest(text) for text in texts]
    try:
        for start in range(0, len(requests), AT_ONCE):
            for entities in asyncio.run(engine.recognize(requests[start : start + AT_ONCE])):
                found.append(tuple(Label(entity.start, entity.end, entity.category) for entity in entities))
                scores.append(tuple(entity.score for entity in entities))
            if told is not None:
                told(len(found))
        seconds, cpu_seconds = time.monotonic() - began, time.process_time() - cpu_began
    finally:
        engine.close(drain=False)
    return Answers(
        found=tuple(found), scores=tuple(scores), tokens=tokens, seconds=seconds, cpu_seconds=cpu_seconds
    )


def examine(folder: ModelFolder, documents: Sequence[LabelledDocument]) -> tuple[Scores, Answers]:
    """Ask a model labelled documents and compare; labels are trimmed as answers are.

    A document that names no language is in the model's own.

    Raises:
        ModelError: The model cannot be loaded.
    """
    given = answers(folder, requests_of(documents))
    pairs = list(zip(map(trim_labels, documents), given.found, strict=True))
    languages = [canonical(document.language or folder.language) for document in documents]
    return replace(score(pairs), languages=score_by_language(languages, pairs)), given


def requests_of(documents: Sequence[LabelledDocument]) -> list[TextRequest]:
    """Return what is asked of a model for documents: each text in its language."""
    return [TextRequest(document.text, document.language) for document in documents]


def trimmed(documents: Sequence[LabelledDocument]) -> list[LabelledDocument]:
    """Return documents whose labels are trimmed as answers are."""
    return [replace(document, labels=trim_labels(document)) for document in documents]
