"""Labelled documents as windows with targets, and windows as batches."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

import numpy as np
from numpy.typing import NDArray

from appliance.datasets.document import LabelledDocument
from appliance.ner.model_folder import ModelFolder
from appliance.ner.tokenizer import Window, tokenizer_of
from appliance.training.encoder import targets_of

IGNORED: Final = -100


@dataclass(frozen=True, slots=True)
class Example:
    """One window with a target on the first token of each word it owns, `IGNORED` elsewhere."""

    window: Window
    targets: NDArray[np.int64]


def encode(
    documents: Sequence[LabelledDocument], labels: Sequence[str], folder: ModelFolder
) -> list[list[Example]]:
    """Return the windows of each document as serving cuts them, with their targets."""
    numbers = {label: number for number, label in enumerate(labels)}
    cuts = tokenizer_of(folder).cut([document.text for document in documents])
    found = []
    for document, cut in zip(documents, cuts, strict=True):
        targets = targets_of(document, cut, numbers)
        found.append([_example(window, targets) for window in cut.windows])
    return found


def _example(window: Window, targets: NDArray[np.intp]) -> Example:
    own = np.full(len(window.ids), IGNORED, dtype=np.int64)
    own[window.positions] = targets[window.first_word : window.first_word + len(window.positions)]
    return Example(window, own)


def batches(
    examples: Sequence[Example], tokens: int, random: Random
) -> Iterator[tuple[NDArray[np.int64], ...]]:
    """Yield batches of about so many tokens, of windows of like length, in another order each time."""
    ordered = sorted(examples, key=lambda example: (len(example.window.ids), random.random()))
    cut: list[list[Example]] = [[]]
    for example in ordered:
        if cut[-1] and (len(cut[-1]) + 1) * len(example.window.ids) > tokens:
            cut.append([])
        cut[-1].append(example)
    random.shuffle(cut)
    return map(_stack, cut)


def _stack(examples: Sequence[Example]) -> tuple[NDArray[np.int64], ...]:
    shape = len(examples), max(len(example.targets) for example in examples)
    ids, mask, types = (np.zeros(shape, np.int64) for _ in range(3))
    targets = np.full(shape, IGNORED, np.int64)
    for row, example in enumerate(examples):
        size = len(example.targets)
        ids[row, :size] = example.window.ids
        mask[row, :size] = 1
        if example.window.types is not None:
            types[row, :size] = example.window.types
        targets[row, :size] = example.targets
    return ids, mask, types, targets
