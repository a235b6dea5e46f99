"""A learning curve of the fast quality, inside the training documents: the test is not looked at."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from appliance.datasets.document import LabelledDocument
from appliance.datasets.label_errors import DatasetError
from appliance.datasets.split import stratified
from appliance.training.base.open_base import Base
from appliance.training.choice import hold_back
from appliance.training.encoder import Encoder, labels_for
from appliance.training.evaluation.learning_curve import Curve, Point, curve_of
from appliance.training.fast.light_head import Options, counted
from appliance.training.fast.train_fast import Told, fit_head

SHARES: Final = (0.1, 0.25, 0.5, 1.0)
LEAST: Final = 20
"""Training documents below which there is no curve: a tenth of fewer is a document or two."""


def measure_curve(
    base: Base, documents: Sequence[LabelledDocument], categories: Sequence[str], *, seed: int, told: Told
) -> Curve:
    """Train on a tenth, a quarter, half and all of the documents, each part within the next.

    A fifth of the documents is held back and measures them all; so `all` is the other four fifths. The
    encoder reads each document once.

    Args:
        base: The encoder, which stays as it is.
        documents: The training documents.
        categories: What to find.
        seed: Of the starting weights and the order.
        told: Hears what is being done and the share of all that is done, 0…1.

    Raises:
        DatasetError: There are too few documents.
    """
    learnt, held = hold_back(documents)
    if len(documents) < LEAST or not held:
        raise DatasetError(
            f"a learning curve needs at least {LEAST} training documents with labels,"
            f" and there are {len(documents)}",
            hint="leave --curve out, or label more documents",
        )
    labels = labels_for(categories)
    encoder = Encoder(base.folder, base.layers)
    vocabulary = encoder.tokenizer.vocabulary
    every = [*learnt, *held]
    sequences = encoder.sequences(every, labels, lambda share: told("curve: reading", 0.5 * share))
    words = {document.name: words for document, words in zip(every, sequences, strict=True)}
    measured = [words[document.name] for document in held]
    points: list[Point] = []
    for part, share in zip(parts_of(learnt), SHARES, strict=True):
        told(f"curve: learning from {len(part)} documents", 0.5 + 0.5 * len(points) / len(SHARES))
        own = [words[document.name] for document in part]
        head, _ = fit_head(part, own, labels, vocabulary, replace(Options(), seed=seed), lambda *_: None)
        points.append(Point(share=share, documents=len(part), counts=tuple(counted(head, measured, labels))))
    return curve_of(points)


def parts_of(documents: Sequence[LabelledDocument]) -> list[list[LabelledDocument]]:
    """Return the documents of each of `SHARES`, each part within the next, the categories in proportion."""
    parts = [list(documents)]
    for share, larger in zip(SHARES[-2::-1], SHARES[:0:-1], strict=True):
        names = {document.name for document in stratified(parts[0], share / larger)}
        parts.insert(0, [document for document in parts[0] if document.name in names])
    return parts
