"""An encoder as custom models use it: its tokenizer, its windows, its hidden layers as features."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from appliance.datasets.document import LabelledDocument
from appliance.host.cpus import usable_cores
from appliance.ner.model_folder import MODEL, ModelFolder
from appliance.ner.session import OnnxSession
from appliance.ner.tokenizer import Document, tokenizer_of

MAX_THREADS: Final = 8
CONTEXT: Final = 3
"""Token numbers that a head reads at each word: the word's first token, the one before, the one after."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Learnt:
    """The words of one document as a head learns from them.

    Attributes:
        features: Hidden layers at the first token of each word, float16 [words, width].
        tokens: Token numbers there, before and after, int32 [words, CONTEXT].
        targets: Right label of each word, [words].
    """

    features: NDArray[np.float16]
    tokens: NDArray[np.int32]
    targets: NDArray[np.intp]


def labels_for(categories: Sequence[str]) -> tuple[str, ...]:
    """Return the labels of a model for these categories: O, then B and I of each."""
    return ("O", *(f"{prefix}-{category}" for category in categories for prefix in "BI"))


def targets_of(document: LabelledDocument, cut: Document, numbers: dict[str, int]) -> NDArray[np.intp]:
    """Return the right label number of each word; a word that an entity touches belongs to it."""
    targets = np.zeros(len(cut.starts), dtype=np.intp)
    labels = iter(document.labels)
    label = next(labels, None)
    inside = False
    for index, (start, end) in enumerate(zip(cut.starts, cut.ends, strict=True)):
        while label is not None and label.end <= start:
            label, inside = next(labels, None), False
        if label is not None and label.start < end:
            targets[index] = numbers[f"{'I' if inside else 'B'}-{label.category}"]
            inside = True
    return targets


class Encoder:
    """A frozen encoder; one call of it per window, one thread a core.

    Args:
        folder: The encoder.
        layers: Outputs of its graph that are features.
    """

    def __init__(self, folder: ModelFolder, layers: tuple[str, ...]) -> None:
        self.tokenizer = tokenizer_of(folder)
        self._layers = layers
        self._session = OnnxSession(folder.read(MODEL), labels=len(folder.labels))

    def sequences(
        self,
        documents: Sequence[LabelledDocument],
        labels: Sequence[str],
        told: Callable[[float], None] = lambda _: None,
    ) -> list[Learnt]:
        """Compute the features of documents; `told` hears the share that is done."""
        numbers = {label: number for number, label in enumerate(labels)}
        cuts = self.tokenizer.cut([document.text for document in documents])
        made = []
        with ThreadPoolExecutor(min(usable_cores(), MAX_THREADS)) as threads:
            computed = threads.map(self._features, cuts)
            for index, (document, cut) in enumerate(zip(documents, cuts, strict=True)):
                features, tokens = next(computed)
                targets = targets_of(document, cut, numbers)
                made.append(Learnt(features=features, tokens=tokens, targets=targets))
                told((index + 1) / len(documents))
        return made

    def _features(self, cut: Document) -> tuple[NDArray[np.float16], NDArray[np.int32]]:
        words = len(cut.starts)
        features: NDArray[np.float16] | None = None
        tokens = np.zeros((words, CONTEXT), dtype=np.int32)
        for window in cut.windows:
            ids = window.ids[None]
            types = None if window.types is None else window.types[None]
            layers = self._session.outputs(self._layers, ids, np.ones_like(ids), types)
            joint = np.concatenate([layer[0] for layer in layers], axis=-1)
            if features is None:
                features = np.zeros((words, joint.shape[1]), dtype=np.float16)
            places = window.positions
            rows = slice(window.first_word, window.first_word + len(places))
            features[rows] = joint[places]
            for column, step in enumerate((0, -1, 1)):
                tokens[rows, column] = window.ids[places + step]
        return np.zeros((0, 1), np.float16) if features is None else features, tokens
