"""The fast route: a light head on the frozen encoder, with the appliance's own packages alone."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from appliance.datasets.document import LabelledDocument
from appliance.datasets.split import stratified
from appliance.ner.model_folder import MODEL
from appliance.training.base.open_base import Base
from appliance.training.encoder import Encoder, labels_for
from appliance.training.fast.head_graph import with_head
from appliance.training.fast.light_head import Options, Progress, train_head

HELD_SHARE: Final = 0.15
LEAST_FOR_HOLDING: Final = 20
"""With fewer documents none is held back to find the best number of epochs: each is needed for learning."""

Told = Callable[[str, float], None]


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
            told=lambda progress: told(_line(progress), 0.5 + 0.25 * progress.epoch / progress.epochs),
        )
    head, epochs = train_head(
        learnt,
        labels,
        vocabulary=vocabulary,
        epochs=epochs,
        options=options,
        told=lambda progress: told(_line(progress), 0.75 + 0.24 * progress.epoch / progress.epochs),
    )
    told("writing the model", 0.99)
    how = f"frozen encoder, two-layer head of {options.hidden}, {epochs} epochs"
    return with_head(base.folder.read(MODEL), base.layers, head, labels), labels, how


def _line(progress: Progress) -> str:
    held = "" if progress.f1 is None else f", F1 {100 * progress.f1:.1f} on documents held back"
    return f"epoch {progress.epoch} of at most {progress.epochs}, loss {progress.loss:.3f}{held}"
