"""The route `best`: the whole encoder learns, in torch, on this machine. Needs the extra `train`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import TYPE_CHECKING, Any

from appliance.datasets.document import LabelledDocument
from appliance.host.torch_extra import quick_bfloat16, require_torch
from appliance.onnx_tools.bert_graph import build
from appliance.training.base.open_base import Base
from appliance.training.best.encoder_weights import Weights
from appliance.training.best.examples import IGNORED, Example, batches, encode
from appliance.training.best.schedule import Pace, Tuning
from appliance.training.encoder import labels_for
from appliance.training.fast.train_fast import Told

if TYPE_CHECKING:
    from appliance.training.best.torch_network import Network

EIGHT_BITS, FLOAT32 = "8 bits", "float32"


def require_torch_for_best() -> None:
    """Refuse where torch is not installed.

    Raises:
        MissingExtra: It is not.
    """
    require_torch("quality best", instead=", or take --quality fast")


@dataclass(slots=True, kw_only=True)
class Tuned:
    """A tuned encoder, which can be written in both precisions.

    Attributes:
        network: Its weights of now.
        weights: The encoder's, for their shape.
        labels: Of the model.
        epochs: How many it took.
        stopped: Whether a trial did not let it go on.
    """

    network: "Network"
    weights: Weights
    labels: tuple[str, ...]
    epochs: int
    stopped: bool = False

    @property
    def how(self) -> str:
        """How it was trained, in words."""
        return f"encoder fine-tuned whole, {self.epochs} epochs"

    def graph(self, precision: str) -> bytes:
        """Return the model's graph, with weights of `8 bits` or `float32`."""
        scaling = {EIGHT_BITS: "token", FLOAT32: "float"}[precision]
        arrays = self.network.arrays()
        graph = build(arrays, self.weights.shape, scaling, hidden=(), word_bits=self.weights.word_bits)
        data: bytes = graph.SerializeToString()
        return data


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A look at what has been learnt, before it goes on.

    After a part of the epochs the weights are kept, the rates fall to nothing as they do at the end, and
    what comes out is judged on documents that it has not learnt from. Then training goes on from the weights
    that were kept, with all documents. So a choice costs a tenth of a training and not another one.

    Attributes:
        held: Documents that are not learnt from before it.
        goes_on: Told what came out, says whether to go on.
    """

    held: Sequence[LabelledDocument]
    goes_on: Callable[[Tuned], bool]


def begin_best(
    base: Base,
    documents: Sequence[LabelledDocument],
    categories: Sequence[str],
    *,
    seed: int = 1,
    told: Told,
    tuning: Tuning | None = None,
    trial: Trial | None = None,
) -> Tuned:
    """Fine-tune an encoder.

    Args:
        base: The encoder.
        documents: What to learn from, without those that the trial holds back.
        categories: What to find.
        seed: Of the head's starting weights, dropout and order.
        told: Hears what is being done and the share of all that is done.
        tuning: How.
        trial: Judges it on the way.

    Raises:
        MissingExtra: torch is not installed.
    """
    require_torch_for_best()
    labels = labels_for(categories)
    told("reading the encoder's weights", 0.0)
    run = _Run(base.weights(), labels, tuning or Tuning(), seed=seed, told=told)
    learnt = _examples(documents, labels, base)
    return run.tune(learnt, _examples(trial.held, labels, base) if trial else [], trial)


def _examples(documents: Sequence[LabelledDocument], labels: Sequence[str], base: Base) -> list[Example]:
    return [example for windows in encode(documents, labels, base.folder) for example in windows]


class _Run:
    """One training of a network, by one optimiser.

    Args:
        weights: To begin from.
        labels: Of the model.
        tuning: How.
        seed: Of the head's starting weights, dropout and order.
        told: Hears what is being done and the share of all that is done.
    """

    def __init__(
        self, weights: Weights, labels: tuple[str, ...], tuning: Tuning, *, seed: int, told: Told
    ) -> None:
        import torch  # noqa: PLC0415  (an optional extra)

        from appliance.training.best.torch_network import Network  # noqa: PLC0415

        torch.manual_seed(seed)
        self._weights, self._labels, self._tuning, self._told = weights, labels, tuning, told
        self._network = Network(weights, labels, tuning.dropout)
        self._optimizer = torch.optim.AdamW(_groups(self._network, tuning), weight_decay=tuning.decay)
        self._rates = [group["lr"] for group in self._optimizer.param_groups]
        self._random = Random(seed)  # noqa: S311
        self._quick = quick_bfloat16(torch)
        self._pace = Pace(1, tuning.warm_up)
        self._tokens = self._shown = self._most = 0

    def tune(self, learnt: Sequence[Example], held: Sequence[Example], trial: Trial | None) -> Tuned:
        """Learn; end early, with falling rates, once nothing is left to learn."""
        every = [*learnt, *held]
        self._tokens = self._tuning.batch(sum(len(example.targets) for example in every))
        steps = self._steps(every)
        epochs = self._most = self._tuning.most_epochs(steps)
        before, ending, after = self._tuning.around_trial(epochs)
        self._pace = Pace(epochs * steps, self._tuning.warm_up)
        last, taken = epochs, 0
        if trial:
            self._most, last = before + ending + after, after
            taken = self._until_learnt(learnt, before)
            kept = {name: value.clone() for name, value in self._network.state_dict().items()}
            pace, self._pace = self._pace, self._pace.ending(ending * self._steps(learnt))
            for _ in range(ending):
                self._epoch(learnt)
            tried = self._tuned(taken + ending)
            if not trial.goes_on(tried):
                return replace(tried, stopped=True)
            self._network.load_state_dict(kept)
            self._pace = pace.ending(after * steps)
            self._shown = before + ending
        most = last - self._tuning.ending
        number = self._until_learnt(every, most)
        if number < most:
            self._pace.end_in(self._tuning.ending * steps)
        for _ in range(self._tuning.ending):
            self._epoch(every)
        return self._tuned(taken + number + self._tuning.ending)

    def _tuned(self, epochs: int) -> Tuned:
        network = self._network.eval()
        return Tuned(network=network, weights=self._weights, labels=self._labels, epochs=epochs)

    def _steps(self, examples: Sequence[Example]) -> int:
        return len(list(batches(examples, self._tokens, Random(0))))  # noqa: S311

    def _until_learnt(self, examples: Sequence[Example], most: int) -> int:
        """Show the examples until nothing is left to learn; return how many epochs that took."""
        for number in range(1, most + 1):
            if self._epoch(examples) < self._tuning.least_loss:
                return number
        return most

    def _epoch(self, examples: Sequence[Example]) -> float:
        """Show every example once; return the mean loss of a batch."""
        import torch  # noqa: PLC0415  (an optional extra)
        from torch.nn import functional  # noqa: PLC0415

        from appliance.training.best.torch_network import descend  # noqa: PLC0415

        self._network.train()
        losses = []
        for batch in batches(examples, self._tokens, self._random):
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
            losses.append(float(loss.detach()))
        self._shown += 1
        mean = sum(losses) / len(losses)
        self._told(f"epoch {self._shown} of at most {self._most}, loss {mean:.3f}", self._shown / self._most)
        return mean


def _groups(network: "Network", tuning: Tuning) -> list[dict[str, Any]]:
    learning = [(name, value) for name, value in network.named_parameters() if value.requires_grad]
    head = [value for name, value in learning if name.startswith("head.")]
    rest = [value for name, value in learning if not name.startswith("head.")]
    return [{"params": rest, "lr": tuning.rate}, {"params": head, "lr": tuning.head_rate}]
