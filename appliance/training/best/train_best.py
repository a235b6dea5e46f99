"""The route `best`: the whole encoder learns, in torch, on this machine. Needs the extra `train`."""

import importlib.util
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from appliance.datasets.document import LabelledDocument
from appliance.errors import MissingExtra
from appliance.ner.model_folder import ModelFolder
from appliance.ner.tokenizer import Window, tokenizer_of
from appliance.onnx_tools.bert_graph import build
from appliance.training.base.open_base import Base
from appliance.training.best.encoder_weights import Weights
from appliance.training.encoder import labels_for, targets_of
from appliance.training.fast.train_fast import Told

if TYPE_CHECKING:
    from appliance.training.best.torch_network import Network

IGNORED: Final = -100
EIGHT_BITS, FLOAT32 = "8 bits", "float32"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """How an encoder is fine-tuned.

    Attributes:
        rate: Highest learning rate of the encoder.
        head_rate: Of the new head.
        decay: Of weights, by AdamW.
        dropout: As the encoder was trained with.
        batch_tokens: Fewest and most of a batch.
        steps: A small set is cut into smaller batches, so that its epochs together make the first number of
            steps: with few large ones the new head has hardly begun to learn when the rate is at its end. A
            large set has no more epochs than the second number of steps takes.
        epochs: Fewest and most.
        warm_up: Share of the steps in which the rates rise.
        least_loss: Mean loss of an epoch, in nats a word, under which nothing is left to learn.
        ending: Epochs in which the rates then fall to nothing.
    """

    rate: float = 2e-4
    head_rate: float = 1e-3
    decay: float = 0.01
    dropout: float = 0.1
    batch_tokens: tuple[int, int] = (192, 1024)
    steps: tuple[int, int] = (350, 700)
    epochs: tuple[int, int] = (4, 20)
    warm_up: float = 0.1
    least_loss: float = 0.005
    ending: int = 2

    def batch(self, tokens: int) -> int:
        """Return the tokens of a batch for an epoch of so many."""
        low, high = self.batch_tokens
        return max(low, min(high, tokens * self.epochs[1] // self.steps[0]))


class Pace:
    """Shares of the highest learning rate, step by step: they rise, then fall in a line to nothing.

    Args:
        steps: How many there are to be.
        warm_up: Share of them in which the rate rises.
    """

    def __init__(self, steps: int, warm_up: float) -> None:
        self._rising = max(1, int(steps * warm_up))
        self._end = steps
        self._from, self._top = self._rising, 1.0
        self._at = 0

    def step(self) -> float:
        """Return the share of the next step."""
        share = self._share()
        self._at += 1
        return share

    def end_in(self, steps: int) -> None:
        """Fall from where it is now, to be at the end in so many steps."""
        self._from, self._top = self._at, self._share()
        self._rising, self._end = 0, self._at + steps

    def _share(self) -> float:
        if self._at < self._rising:
            return (self._at + 1) / self._rising
        return self._top * max(0.0, (self._end - self._at) / max(1, self._end - self._from))


@dataclass(frozen=True, slots=True)
class Example:
    """One window with a target on the first token of each word it owns, `IGNORED` elsewhere."""

    window: Window
    targets: NDArray[np.int64]


def has_torch() -> bool:
    """Whether torch is installed."""
    return importlib.util.find_spec("torch") is not None


def require_torch() -> None:
    """Refuse where torch is not installed.

    Raises:
        MissingExtra: It is not.
    """
    if not has_torch():
        raise MissingExtra(
            "quality best needs torch, which is not installed here",
            hint="pip install 'offline-appliance[train]' (without network: from carried wheels), or take"
            " --quality fast",
        )


@dataclass(slots=True, kw_only=True)
class Tuned:
    """A tuned encoder, which can be written in both precisions.

    Attributes:
        network: Its weights of now.
        weights: The encoder's, for their shape.
        labels: Of the model.
        epochs: How many it took.
    """

    network: "Network"
    weights: Weights
    labels: tuple[str, ...]
    epochs: int

    @property
    def how(self) -> str:
        """How it was trained, in words."""
        return f"encoder fine-tuned whole, {self.epochs} epochs"

    def graph(self, precision: str) -> bytes:
        """Return the model's graph, with weights of `8 bits` or `float32`."""
        scaling = {EIGHT_BITS: "token", FLOAT32: "float"}[precision]
        arrays = self.network.arrays()
        data: bytes = build(arrays, self.weights.shape, scaling, hidden=()).SerializeToString()
        return data


def begin_best(
    base: Base,
    documents: Sequence[LabelledDocument],
    categories: Sequence[str],
    *,
    seed: int = 1,
    told: Told,
    tuning: Tuning | None = None,
) -> Tuned:
    """Fine-tune an encoder.

    Args:
        base: The encoder.
        documents: What to learn from.
        categories: What to find.
        seed: Of the head's starting weights, dropout and order.
        told: Hears what is being done and the share of all that is done.
        tuning: How.

    Raises:
        MissingExtra: torch is not installed.
    """
    require_torch()
    tuning = tuning or Tuning()
    labels = labels_for(categories)
    told("reading the encoder's weights", 0.0)
    weights = base.weights()
    examples = _examples(documents, labels, base)
    network, epochs = tune(weights, labels, examples, tuning, seed=seed, told=told)
    return Tuned(network=network, weights=weights, labels=labels, epochs=epochs)


def _examples(documents: Sequence[LabelledDocument], labels: Sequence[str], base: Base) -> list[Example]:
    return [example for windows in encode(documents, labels, base.folder) for example in windows]


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


def tune(
    weights: Weights,
    labels: Sequence[str],
    learnt: Sequence[Example],
    tuning: Tuning,
    *,
    seed: int,
    told: Told,
) -> tuple["Network", int]:
    """Fine-tune from `weights`; end early, with falling rates, once nothing is left to learn.

    Returns:
        The network, and how many epochs were run.
    """
    import torch  # noqa: PLC0415  (an optional extra)

    from appliance.training.best.torch_network import Network  # noqa: PLC0415

    torch.manual_seed(seed)
    network = Network(weights, labels, tuning.dropout)
    run = _Run(network, learnt, tuning, seed=seed)
    low, high = tuning.epochs
    last = max(low, min(high, -(-tuning.steps[1] // run.steps)))
    run.begin(last)
    number, ending = 0, False
    while number < last:
        number += 1
        loss = run.epoch()
        if not ending and loss < tuning.least_loss and number + tuning.ending < last:
            ending, last = True, number + tuning.ending
            run.end_in(tuning.ending)
        told(f"epoch {number} of at most {last}, loss {loss:.3f}", number / last)
    return network.eval(), number


class _Run:
    """Epochs over the same examples, by one optimiser.

    Args:
        network: What learns.
        learnt: What from.
        tuning: How.
        seed: Of the order.
    """

    def __init__(self, network: "Network", learnt: Sequence[Example], tuning: Tuning, *, seed: int) -> None:
        import torch  # noqa: PLC0415  (an optional extra)

        self._network, self._learnt, self._tuning = network, learnt, tuning
        self._optimizer = torch.optim.AdamW(_groups(network, tuning), weight_decay=tuning.decay)
        self._rates = [group["lr"] for group in self._optimizer.param_groups]
        self._random = Random(seed)  # noqa: S311
        self._tokens = tuning.batch(sum(len(example.targets) for example in learnt))
        self.steps = len(list(_batches(learnt, self._tokens, Random(seed))))  # noqa: S311
        self._quick = _quick_bfloat16(torch)
        self._pace = Pace(self.steps, tuning.warm_up)

    def begin(self, epochs: int) -> None:
        """Let the rates rise and fall over so many epochs."""
        self._pace = Pace(epochs * self.steps, self._tuning.warm_up)

    def end_in(self, epochs: int) -> None:
        """Let the rates fall to nothing in so many epochs."""
        self._pace.end_in(epochs * self.steps)

    def epoch(self) -> float:
        """Show every example once; return the mean loss of a batch."""
        import torch  # noqa: PLC0415  (an optional extra)
        from torch.nn import functional  # noqa: PLC0415

        from appliance.training.best.torch_network import descend  # noqa: PLC0415

        self._network.train()
        total = 0.0
        for batch in _batches(self._learnt, self._tokens, self._random):
            share = self._pace.step()
            for group, rate in zip(self._optimizer.param_groups, self._rates, strict=True):
                group["lr"] = rate * share
            ids, mask, types, targets = (torch.from_numpy(part) for part in batch)
            with torch.autocast("cpu", torch.bfloat16, enabled=self._quick):
                scores = self._network(ids, mask, types)
            loss = functional.cross_entropy(
                scores.float().flatten(0, 1), targets.flatten(), ignore_index=IGNORED
            )
            descend(loss, self._network, self._optimizer)
            total += float(loss.detach())
        return total / self.steps


def _groups(network: "Network", tuning: Tuning) -> list[dict[str, Any]]:
    head = [value for name, value in network.named_parameters() if name.startswith("head.")]
    rest = [value for name, value in network.named_parameters() if not name.startswith("head.")]
    return [{"params": rest, "lr": tuning.rate}, {"params": head, "lr": tuning.head_rate}]


def _batches(
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


def _quick_bfloat16(torch: Any) -> bool:
    """Whether this processor multiplies 16-bit floats in hardware; else they are the slower ones."""
    try:
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported()) and bool(
            torch.cpu._is_avx512_bf16_supported()
        )
    except (AttributeError, RuntimeError):
        return False
