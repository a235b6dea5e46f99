"""The light head of the fast route: two layers and a random field over a frozen encoder, trained in numpy.

A word is seen through three layers of the encoder at its first token, and through learnt tables for that
token and its two neighbours. The random field only teaches: what is exported are the scores of single words,
and serving finds the best labelling that the scheme allows. Learnt transitions at serving were worth 0.1
points of F1, training with them 0.7 to 4.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from appliance.training.encoder import CONTEXT, Learnt
from appliance.training.evaluation.scoring import Counts
from appliance.training.fast.crf import Array, best_path, gradient

FORBIDDEN = -1e4
LEARNT = 0.002
"""A loss a word below which there is nothing left to learn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a head is trained; shares and rates are the usual ones of small networks."""

    hidden: int = 256
    rate: float = 1e-3
    decay: float = 1e-2
    drop_hidden: float = 0.3
    drop_features: float = 0.1
    drop_tokens: float = 0.3
    batch_words: int = 400
    steps: int = 300
    epochs: tuple[int, int] = (10, 50)
    patience: int = 8
    piece: int = 100
    seed: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """Trained weights; features are used as they come, standardisation is in the first layer.

    Attributes:
        first, bias: [width, hidden], [hidden].
        last, last_bias: [hidden, labels], [labels].
        rows: Row of each token number in the tables, int32 [vocabulary]; 0 for tokens never seen.
        tables: [seen tokens + 1, hidden] for the word's first token and for its neighbours.
    """

    first: Array
    bias: Array
    last: Array
    last_bias: Array
    rows: NDArray[np.int32]
    tables: tuple[Array, ...]

    def scores(self, features: NDArray[np.float16], tokens: NDArray[np.int32]) -> Array:
        """Return the scores of words, [words, labels]."""
        hidden = features.astype(np.float32) @ self.first + self.bias
        for column, table in enumerate(self.tables):
            hidden += table[self.rows[tokens[:, column]]]
        found: Array = np.maximum(hidden, 0) @ self.last + self.last_bias
        return found


def rules(labels: Sequence[str]) -> Array:
    """Return the transitions that BIO forbids, [labels + 1, labels + 1]; the last is the border."""
    table = np.zeros((len(labels) + 1, len(labels) + 1), np.float32)
    for after, label in enumerate(labels):
        if label.startswith("I-"):
            for before, other in enumerate([*labels, "O"]):
                if other[2:] != label[2:]:
                    table[before, after] = FORBIDDEN
    return table


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a training stands; `f1` is of the documents held out for the early stop, in words' chunks."""

    epoch: int
    epochs: int
    loss: float
    f1: float | None


@dataclass(slots=True)
class _Adam:
    """Adam with decoupled decay; tables are updated in the rows that a batch touched."""

    rate: float
    decay: float
    values: dict[str, Array]
    step: int = 0
    first: dict[str, Array] = field(default_factory=dict)
    second: dict[str, Array] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.first = {name: np.zeros_like(value) for name, value in self.values.items()}
        self.second = {name: np.zeros_like(value) for name, value in self.values.items()}

    def update(self, name: str, change: Array, share: float, rows: NDArray[np.intp] | None = None) -> None:
        value, first, second = self.values[name], self.first[name], self.second[name]
        at = slice(None) if rows is None else rows
        first[at] += 0.1 * (change - first[at])
        second[at] += 0.01 * (change**2 - second[at])
        mean = first[at] / (1 - 0.9**self.step)
        spread = np.sqrt(second[at] / (1 - 0.99**self.step)) + 1e-8
        pull = self.decay * value[at] if value.ndim == 2 and name != "moves" else 0
        value[at] -= self.rate * share * (mean / spread + pull)


@dataclass(frozen=True, slots=True)
class _Piece:
    features: Array
    rows: NDArray[np.intp]
    targets: NDArray[np.intp]


class _Trainer:
    def __init__(
        self, learnt: Sequence[Learnt], labels: Sequence[str], vocabulary: int, options: Options
    ) -> None:
        self.options = options
        self.labels = labels
        self.random = np.random.default_rng(options.seed)
        learnt = [example for example in learnt if len(example.targets)]
        every = np.concatenate([example.features for example in learnt])
        self.mean = every.mean(axis=0, dtype=np.float32)
        self.spread = every.std(axis=0, dtype=np.float32) + np.float32(1e-3)
        seen = np.unique(np.concatenate([example.tokens.ravel() for example in learnt]))
        self.index = np.zeros(vocabulary, dtype=np.int32)
        self.index[seen] = np.arange(1, len(seen) + 1)
        self.pieces = [piece for example in learnt for piece in self._cut(example)]
        self.words = sum(len(piece.targets) for piece in self.pieces)
        self.rules = rules(labels)
        self.adam = _Adam(options.rate, options.decay, self._start(every.shape[1], len(seen)))

    def _cut(self, example: Learnt) -> Iterator[_Piece]:
        start = 0
        while start < len(example.targets):
            end = start + self.options.piece
            # A piece never begins inside an entity: its right labelling would be a forbidden one.
            while end < len(example.targets) and self.labels[example.targets[end]].startswith("I-"):
                end += 1
            part = slice(start, end)
            start = end
            features = (example.features[part].astype(np.float32) - self.mean) / self.spread
            yield _Piece(features, self.index[example.tokens[part]].astype(np.intp), example.targets[part])

    def _start(self, width: int, seen: int) -> dict[str, Array]:
        hidden, count = self.options.hidden, len(self.labels)

        def normal(size: tuple[int, int], scale: float) -> Array:
            return self.random.normal(0, scale, size).astype(np.float32)

        values = {
            "first": normal((width, hidden), width**-0.5),
            "bias": np.zeros(hidden, np.float32),
            "last": normal((hidden, count), hidden**-0.5),
            "last_bias": np.zeros(count, np.float32),
            "moves": np.zeros((count + 1, count + 1), np.float32),
        }
        for number in range(CONTEXT):
            values[f"table{number}"] = normal((seen + 1, hidden), 0.05)
            values[f"table{number}"][0] = 0
        return values

    @property
    def epochs(self) -> int:
        low, high = self.options.epochs
        return max(low, min(high, -(-self.options.steps * self.options.batch_words // max(1, self.words))))

    def epoch(self, number: int, epochs: int) -> float:
        """Show every piece once; return the mean loss a word."""
        order = self.random.permutation(len(self.pieces))
        batches: list[list[_Piece]] = [[]]
        words = 0
        for index in order:
            piece = self.pieces[index]
            if words >= self.options.batch_words:
                batches.append([])
                words = 0
            batches[-1].append(piece)
            words += len(piece.targets)
        loss = 0.0
        for count, batch in enumerate(batches):
            at = (number + count / len(batches)) / epochs
            rising = min(1.0, (self.adam.step + 1) / 20)
            loss += self._learn(batch, rising * max(0.02, 1 - at))
        return loss / self.words

    def _learn(self, batch: Sequence[_Piece], share: float) -> float:
        """Learn from one batch; returns its loss, summed over its words."""
        options, values = self.options, self.adam.values
        features = np.concatenate([piece.features for piece in batch])
        rows = np.concatenate([piece.rows for piece in batch])
        features = features * self._kept(features.shape, options.drop_features)
        rows = rows * (self.random.random(rows.shape) >= options.drop_tokens)
        hidden = features @ values["first"] + values["bias"]
        for column in range(CONTEXT):
            hidden += values[f"table{column}"][rows[:, column]]
        kept = self._kept(hidden.shape, options.drop_hidden)
        active = np.maximum(hidden, 0) * kept
        scores = active @ values["last"] + values["last_bias"]
        by_scores, by_moves, loss = self._field(batch, scores)
        by_hidden = (by_scores @ values["last"].T) * kept * (hidden > 0)
        self.adam.step += 1
        update = self.adam.update
        update("last", active.T @ by_scores, share)
        update("last_bias", by_scores.sum(axis=0), share)
        update("moves", by_moves, share)
        update("first", features.T @ by_hidden, share)
        update("bias", by_hidden.sum(axis=0), share)
        for column in range(CONTEXT):
            touched, place = np.unique(rows[:, column], return_inverse=True)
            members = np.zeros((len(touched), len(place)), np.float32)
            members[place, np.arange(len(place))] = touched[place] > 0  # row 0 stands for the unseen
            update(f"table{column}", members @ by_hidden, share, touched)
        return loss

    def _kept(self, shape: tuple[int, ...], dropped: float) -> Array:
        there = self.random.random(shape, dtype=np.float32) >= dropped
        kept: Array = there.astype(np.float32) / np.float32(1 - dropped)
        return kept

    def _field(self, batch: Sequence[_Piece], scores: Array) -> tuple[Array, Array, float]:
        longest = max(len(piece.targets) for piece in batch)
        shape = len(batch), longest
        padded = np.zeros((*shape, scores.shape[1]), np.float32)
        targets = np.zeros(shape, np.intp)
        mask = np.zeros(shape, np.bool_)
        for row, piece in enumerate(batch):
            mask[row, : len(piece.targets)] = True
            targets[row, : len(piece.targets)] = piece.targets
        padded[mask] = scores
        found = gradient(padded, targets, mask, self.adam.values["moves"] + self.rules)
        words = np.float32(len(scores))
        return found.scores[mask] / words, found.transitions / words, found.loss

    def head(self) -> Head:
        """Return the weights of now, standardisation folded into the first layer."""
        values = self.adam.values
        first = values["first"] / self.spread[:, None]
        return Head(
            first=first.astype(np.float32),
            bias=(values["bias"] - self.mean @ first).astype(np.float32),
            last=values["last"].copy(),
            last_bias=values["last_bias"].copy(),
            rows=self.index,
            tables=tuple(values[f"table{number}"].copy() for number in range(CONTEXT)),
        )


def train_head(
    learnt: Sequence[Learnt],
    labels: Sequence[str],
    *,
    vocabulary: int,
    held: Sequence[Learnt] = (),
    epochs: int = 0,
    options: Options | None = None,
    told: Callable[[Progress], None] = lambda _: None,
) -> tuple[Head, int]:
    """Train a head.

    Args:
        learnt: Documents to learn from.
        labels: Labels of a model (`labels_for`).
        vocabulary: How many token numbers there are.
        held: Documents that say when to stop; without them all epochs are run.
        epochs: How many at most; 0 leaves it to the amount of text.
        options: How.
        told: Hears of each epoch; whatever it raises ends the training.

    Returns:
        The best head, and the number of epochs it took.
    """
    options = options or Options()
    trainer = _Trainer(learnt, labels, vocabulary, options)
    total = epochs or trainer.epochs
    best, best_f1, best_epoch = trainer.head(), -1.0, 0
    for number in range(total):
        loss = trainer.epoch(number, total)
        f1 = _held_f1(trainer.head(), held, labels) if held else None
        told(Progress(epoch=number + 1, epochs=total, loss=loss, f1=f1))
        if f1 is None or f1 >= best_f1:
            best, best_f1, best_epoch = trainer.head(), f1 or 0.0, number + 1
            if f1 is None and loss < LEARNT:
                break
        elif number + 1 - best_epoch >= options.patience:
            break
    return best, best_epoch


def _held_f1(head: Head, held: Sequence[Learnt], labels: Sequence[str]) -> float:
    right = both = 0
    for found in counted(head, held, labels):
        right += found.right
        both += found.found + found.labelled
    return 2 * right / both if both else 0.0


def counted(head: Head, held: Sequence[Learnt], labels: Sequence[str]) -> list[Counts]:
    """Return the counts of each document: entities in whole words, as the best labelling finds them."""
    moves = rules(labels)
    counts = []
    for example in held:
        found: set[tuple[int, int, str]] = set()
        wanted: set[tuple[int, int, str]] = set()
        if len(example.targets):
            found = chunks(best_path(head.scores(example.features, example.tokens), moves), labels)
            wanted = chunks(example.targets.tolist(), labels)
        counts.append(Counts(right=len(found & wanted), found=len(found), labelled=len(wanted)))
    return counts


def chunks(numbers: Sequence[int], labels: Sequence[str]) -> set[tuple[int, int, str]]:
    """Return (first word, word after, category) of each entity."""
    found: set[tuple[int, int, str]] = set()
    start, category = -1, ""
    for index, number in enumerate([*numbers, 0]):
        label = labels[number]
        if start >= 0 and label != f"I-{category}":
            found.add((start, index, category))
            start = -1
        if label.startswith("B-"):
            start, category = index, label[2:]
    return found
