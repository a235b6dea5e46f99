"""The route `best`: the whole encoder learns, in torch, on this machine. Needs the extra `train`."""

import importlib.util
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from appliance.custom.crf import best_path
from appliance.custom.encoder import bundled, labels_for, targets_of, tokenizer_of
from appliance.custom.fast import HELD_SHARE, LEAST_FOR_HOLDING, Told
from appliance.custom.head import chunks, rules
from appliance.custom.weights import Weights, read_weights
from appliance.errors import MissingExtra
from appliance.inference.folder import MODEL
from appliance.inference.tokens import Window
from appliance.labelled.document import LabelledDocument
from appliance.labelled.split import stratified
from appliance.training.graph import build

if TYPE_CHECKING:
    from appliance.custom.network import Network

IGNORED: Final = -100


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """How an encoder is fine-tuned.

    A small set is cut into smaller batches, so that its epochs together make `steps` steps: with few large
    ones the new head has hardly begun to learn when the rate is at its end.
    """

    rate: float = 2e-4
    head_rate: float = 1e-3
    decay: float = 0.01
    dropout: float = 0.1
    batch_tokens: tuple[int, int] = (192, 1024)
    steps: int = 350
    epochs: tuple[int, int] = (4, 20)
    patience: int = 4
    warm_up: float = 0.1

    def batch(self, tokens: int) -> int:
        """Return the tokens of a batch for an epoch of so many."""
        low, high = self.batch_tokens
        return max(low, min(high, tokens * self.epochs[1] // self.steps))


@dataclass(frozen=True, slots=True)
class Example:
    """One window with a target on the first token of each word it owns, `IGNORED` elsewhere."""

    window: Window
    targets: NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Best:
    """A fine-tuned model: its graph with 8-bit and with float32 weights, its labels, how it was trained."""

    eight_bit: bytes
    float32: bytes
    labels: tuple[str, ...]
    how: str


def require_torch() -> None:
    """Refuse where torch is not installed.

    Raises:
        MissingExtra: It is not.
    """
    if importlib.util.find_spec("torch") is None:
        raise MissingExtra(
            "quality best needs torch, which is not installed here",
            hint="pip install 'offline-appliance[train]' (without network: from carried wheels), or take"
            " --quality fast",
        )


def train_best(
    documents: Sequence[LabelledDocument],
    categories: Sequence[str],
    *,
    seed: int = 1,
    told: Told,
    tuning: Tuning | None = None,
) -> Best:
    """Fine-tune the bundled encoder.

    Args:
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
    folder = bundled()
    told("reading the encoder's weights", 0.0)
    weights = read_weights(folder.read(MODEL))
    examples = encode(documents, labels)
    epochs, share = 0, 0.0
    if len(documents) >= LEAST_FOR_HOLDING:
        names = {document.name for document in stratified(documents, HELD_SHARE)}
        pairs = list(zip(documents, examples, strict=True))
        learnt = [one for document, ones in pairs if document.name not in names for one in ones]
        held = [ones for document, ones in pairs if document.name in names]
        _, epochs = tune(weights, labels, learnt, held, tuning, seed=seed, told=_within(told, 0.0, 0.5))
        share = 0.5
    every = [one for ones in examples for one in ones]
    network, epochs = tune(
        weights, labels, every, [], tuning, seed=seed, epochs=epochs, told=_within(told, share, 0.98)
    )
    told("writing the model", 0.98)
    arrays = network.arrays()
    models = {
        scaling: build(arrays, weights.shape, scaling, hidden=(), custom=True).SerializeToString()
        for scaling in ("token", "float")
    }
    how = f"encoder fine-tuned whole, {epochs} epochs"
    return Best(eight_bit=models["token"], float32=models["float"], labels=labels, how=how)


def encode(documents: Sequence[LabelledDocument], labels: Sequence[str]) -> list[list[Example]]:
    """Return the windows of each document as serving cuts them, with their targets."""
    numbers = {label: number for number, label in enumerate(labels)}
    cuts = tokenizer_of(bundled()).cut([document.text for document in documents])
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
    held: Sequence[Sequence[Example]],
    tuning: Tuning,
    *,
    seed: int,
    told: Told,
    epochs: int = 0,
) -> tuple["Network", int]:
    """Fine-tune from `weights`; with documents held back, stop when they no longer gain.

    Returns:
        The network, and how many epochs were run. They are more than those to the best F1: the rate falls to
        nothing at the end of a training, so one that ends where this one was best would not get as far.
    """
    import torch  # noqa: PLC0415  (an optional extra)
    from torch.nn import functional  # noqa: PLC0415

    from appliance.custom.network import Network  # noqa: PLC0415

    torch.manual_seed(seed)
    random = Random(seed)  # noqa: S311
    network = Network(weights, labels, tuning.dropout)
    optimizer = torch.optim.AdamW(_groups(network, tuning), weight_decay=tuning.decay)
    batch_tokens = tuning.batch(sum(len(one.targets) for one in learnt))
    per_epoch = len(list(_batches(learnt, batch_tokens, Random(seed))))  # noqa: S311
    low, high = tuning.epochs
    total = epochs or max(low, min(high, -(-tuning.steps // per_epoch)))
    rates = [group["lr"] for group in optimizer.param_groups]
    step, run, best_f1, best_epoch = 0, 0, -1.0, 0
    quick = _quick_bfloat16(torch)
    for number in range(total):
        run = number + 1
        network.train()
        loss_sum = 0.0
        for batch in _batches(learnt, batch_tokens, random):
            share = _share(step, total * per_epoch, tuning.warm_up)
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                group["lr"] = rate * share
            ids, mask, types, targets = (torch.from_numpy(part) for part in batch)
            with torch.autocast("cpu", torch.bfloat16, enabled=quick):
                scores = network(ids, mask, types)
            loss = functional.cross_entropy(
                scores.float().flatten(0, 1), targets.flatten(), ignore_index=IGNORED
            )
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            step += 1
            loss_sum += float(loss.detach())
        f1 = held_f1(network, held, labels) if held else None
        said = "" if f1 is None else f", F1 {100 * f1:.1f} on documents held back"
        told(
            f"epoch {run} of at most {total}, loss {loss_sum / per_epoch:.3f}{said}",
            run / total,
        )
        if f1 is None:
            continue
        if f1 >= best_f1:
            best_f1, best_epoch = f1, run
        elif run - best_epoch >= tuning.patience and run >= low:
            break
    return network.eval(), run


def held_f1(network: "Network", held: Sequence[Sequence[Example]], labels: Sequence[str]) -> float:
    """Return F1 over words on documents, decoded as serving does."""
    import torch  # noqa: PLC0415

    network.eval()
    moves = rules(labels)
    right = both = 0
    with torch.no_grad():
        for examples in held:
            wanted: list[int] = []
            rows: list[NDArray[np.float32]] = []
            for one in examples:
                ids, mask, types, _ = (torch.from_numpy(part) for part in _stack([one]))
                scores = network(ids, mask, types)[0].numpy()
                at = one.targets != IGNORED
                rows.append(scores[at])
                wanted += one.targets[at].tolist()
            if rows:
                found = chunks(best_path(np.concatenate(rows), moves), labels)
                right_ones = chunks(wanted, labels)
                right += len(found & right_ones)
                both += len(found) + len(right_ones)
    return 2 * right / both if both else 0.0


def _groups(network: "Network", tuning: Tuning) -> list[dict[str, Any]]:
    head = [value for name, value in network.named_parameters() if name.startswith("head.")]
    rest = [value for name, value in network.named_parameters() if not name.startswith("head.")]
    return [{"params": rest, "lr": tuning.rate}, {"params": head, "lr": tuning.head_rate}]


def _share(step: int, total: int, warm_up: float) -> float:
    rising = max(1, int(total * warm_up))
    return (step + 1) / rising if step < rising else max(0.0, (total - step) / max(1, total - rising))


def _batches(
    examples: Sequence[Example], tokens: int, random: Random
) -> Iterator[tuple[NDArray[np.int64], ...]]:
    """Yield batches of about so many tokens, of windows of like length, in another order each time."""
    ordered = sorted(examples, key=lambda one: (len(one.window.ids), random.random()))
    cut: list[list[Example]] = [[]]
    for one in ordered:
        if cut[-1] and (len(cut[-1]) + 1) * len(one.window.ids) > tokens:
            cut.append([])
        cut[-1].append(one)
    random.shuffle(cut)
    return map(_stack, cut)


def _stack(examples: Sequence[Example]) -> tuple[NDArray[np.int64], ...]:
    shape = len(examples), max(len(one.targets) for one in examples)
    ids, mask, types = (np.zeros(shape, np.int64) for _ in range(3))
    targets = np.full(shape, IGNORED, np.int64)
    for row, one in enumerate(examples):
        size = len(one.targets)
        ids[row, :size] = one.window.ids
        mask[row, :size] = 1
        if one.window.types is not None:
            types[row, :size] = one.window.types
        targets[row, :size] = one.targets
    return ids, mask, types, targets


def _within(told: Told, low: float, high: float) -> Told:
    return lambda step, share: told(step, low + (high - low) * share)


def _quick_bfloat16(torch: Any) -> bool:
    """Whether this processor multiplies 16-bit floats in hardware; else they are the slower ones."""
    try:
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported()) and bool(
            torch.cpu._is_avx512_bf16_supported()
        )
    except (AttributeError, RuntimeError):
        return False
