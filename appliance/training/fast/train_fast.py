"""The fast route: a light head on the frozen encoder, with the appliance's own packages alone."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from appliance.datasets.document import LabelledDocument
from appliance.datasets.split import stratified
from appliance.ner.model_folder import MODEL
from appliance.training.base.open_base import Base
from appliance.training.encoder import Encoder, Learnt, labels_for
from appliance.training.fast.head_graph import with_head
from appliance.training.fast.light_head import Head, Options, Progress, train_head

HELD_SHARE: Final = 0.15
LEAST_FOR_HOLDING: Final = 20
"""With fewer documents none is held back to find the best number of epochs: each is needed for learning."""

Told = Callable[[str, float], None]
"""Hears what is being done, and the share of all that is done, 0…1."""


def part_of(told: Told, begin: float, end: float) -> Told:
    """Return what hears of a part of the work as if it were the whole."""
    return lambda step, share: told(step, begin + (end - begin) * share)


def train_fast(
    base: Base, documents: Sequence[LabelledDocument], categories: Sequence[str], *, seed: int = 1, told: Told
) -> tuple[bytes, tuple[str, ...], str]:
    """Train a head and return the model's graph, its labels, and how it was trained in words.

    Args:
        base: The encoder, which stays as it is.
        documents: What to learn from.
        categories: What to find.
        seed: Of the starting weights and the order.
        told: Hears what is being done and the share of all that is done, 0…1.
    """
    labels = labels_for(categories)
    encoder = Encoder(base.folder, base.layers)
    vocabulary = encoder.tokenizer.vocabulary
    told("reading the documents with the encoder", 0.0)
    learnt = encoder.sequences(documents, labels, lambda share: told("reading the documents", 0.5 * share))
    options = replace(Options(), seed=seed)
    head, epochs = fit_head(
        documents, learnt, labels, vocabulary, options, lambda step, share: told(step, 0.5 + 0.49 * share)
    )
    told("writing the model", 0.99)
    how = f"frozen encoder, two-layer head of {options.hidden}, {epochs} epochs"
    return with_head(base.folder.read(MODEL), base.layers, head, labels), labels, how


def fit_head(
    documents: Sequence[LabelledDocument],
    learnt: Sequence[Learnt],
    labels: Sequence[str],
    vocabulary: int,
    options: Options,
    told: Told,
) -> tuple[Head, int]:
    """Train a head on documents; where there are enough, a part of them finds the number of epochs first.

    Args:
        documents: What to learn from.
        learnt: Their words, in the same order.
        labels: Of the model.
        vocabulary: How many token numbers there are.
        options: How.
        told: Hears what is being done and the share of it that is done.

    Returns:
        The head, and how many epochs it took.
    """
    epochs = 0
    if len(documents) >= LEAST_FOR_HOLDING:
        names = {document.name for document in stratified(documents, HELD_SHARE)}
        pairs = list(zip(documents, learnt, strict=True))
        _, epochs = train_head(
            [example for document, example in pairs if document.name not in names],
            labels,
            vocabulary=vocabulary,
            held=[example for document, example in pairs if document.name in names],
            options=options,
            told=lambda progress: told(_line(progress), 0.5 * progress.epoch / progress.epochs),
        )
    return train_head(
        learnt,
        labels,
        vocabulary=vocabulary,
        epochs=epochs,
        options=options,
        told=lambda progress: told(_line(progress), 0.5 + 0.5 * progress.epoch / progress.epochs),
    )


def _line(progress: Progress) -> str:
    held = "" if progress.f1 is None else f", F1 {100 * progress.f1:.1f} on documents held back"
    return f"epoch {progress.epoch} of at most {progress.epochs}, loss {progress.loss:.3f}{held}"
