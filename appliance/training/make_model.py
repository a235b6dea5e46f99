"""From training documents to a model's graph: fast, best, or the better of the two.

Whatever has to be chosen (quality, precision, epochs) is chosen on training documents that were held back
from the learning. Documents of the test are never seen here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from appliance.datasets.document import LabelledDocument
from appliance.host.torch_extra import has_torch
from appliance.training.base.open_base import Base
from appliance.training.best.schedule import Tuning
from appliance.training.best.train_best import (
    EIGHT_BITS,
    FLOAT32,
    Trial,
    Tuned,
    begin_best,
    require_torch_for_best,
)
from appliance.training.choice import (
    LEAST_FOR_CHOICE,
    Candidate,
    Choice,
    choose_precision,
    choose_quality,
    hold_back,
)
from appliance.training.fast.train_fast import Told, part_of, train_fast
from appliance.training.measure_candidate import measure_candidate

FAST, BEST, AUTO = "fast", "best", "auto"
QUALITIES: Final = (FAST, BEST, AUTO)
_FEW: Final = f"fewer than {LEAST_FOR_CHOICE} training documents are too few to hold some back"
_BARE: Final = "too few training documents have labels to hold some back"


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A trained model.

    Attributes:
        model: The bytes of its graph.
        labels: Of the model.
        how: How it was trained, in words.
        choice: Quality and precision, and why.
    """

    model: bytes
    labels: tuple[str, ...]
    how: str
    choice: Choice


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What is to be learnt.

    Attributes:
        base: The encoder.
        documents: To learn from, with labels that fit the encoder's words.
        categories: What to find.
        seed: Of starting weights and order.
        place: Folder in which models that are compared may lie for a while.
        told: Hears what is being done and the share of all that is done.
        tuning: Of `best`; None for the usual one.
    """

    base: Base
    documents: Sequence[LabelledDocument]
    categories: Sequence[str]
    seed: int
    place: Path
    told: Told
    tuning: Tuning | None = None


def make_model(task: Task, quality: str) -> Made:
    """Train a model of a quality.

    Raises:
        MissingExtra: `best` without torch.
        DatasetError: A model that is compared cannot be written.
    """
    if quality == FAST:
        return _fast(task, "fast was asked for")
    if quality == BEST:
        require_torch_for_best()
        return _best(task)
    return _auto(task)


def _fast(task: Task, why: str, *, candidates: tuple[Candidate, ...] = (), begin: float = 0.0) -> Made:
    model, labels, how = train_fast(
        task.base, task.documents, task.categories, seed=task.seed, told=part_of(task.told, begin, 1.0)
    )
    choice = Choice(quality=FAST, precision=EIGHT_BITS, candidates=candidates, why=why)
    return Made(model=model, labels=labels, how=how, choice=choice)


def _best(task: Task) -> Made:
    learnt, held = hold_back(task.documents)
    if not held:
        tuned = _tuned(task, task.documents, None, 0.0)
        return _written(task, tuned, FLOAT32, f"{_why_none(task)}, so the model keeps float32 weights", ())
    found: list[Candidate] = []

    def goes_on(tuned: Tuned) -> bool:
        found.extend(_both_precisions(task, tuned, held))
        return True

    tuned = _tuned(task, learnt, Trial(held=held, goes_on=goes_on), 0.0)
    chosen, why = choose_precision(*found)
    return _written(task, tuned, chosen.precision, why, tuple(found))


def _auto(task: Task) -> Made:
    if not has_torch():
        return _fast(task, "torch is not installed here, so best could not be tried: fast was taken")
    learnt, held = hold_back(task.documents)
    if not held:
        return _fast(task, f"{_why_none(task)}: fast was taken")
    model, labels, _ = train_fast(
        task.base, learnt, task.categories, seed=task.seed, told=part_of(task.told, 0.0, 0.1)
    )
    fast = _measured(task, FAST, EIGHT_BITS, model, labels, held)
    found = [fast]

    def goes_on(tuned: Tuned) -> bool:
        found.extend(_both_precisions(task, tuned, held))
        best, _ = choose_precision(*found[1:])
        return choose_quality(fast, best)[0] is best

    tuned = _tuned(task, learnt, Trial(held=held, goes_on=goes_on), 0.1)
    best, precision = choose_precision(*found[1:])
    _, why = choose_quality(fast, best)
    if tuned.stopped:
        return _fast(task, why, candidates=tuple(found), begin=0.5)
    return _written(task, tuned, best.precision, f"{why}; {precision}", tuple(found))


def _why_none(task: Task) -> str:
    """Say why no documents were held back."""
    return _FEW if len(task.documents) < LEAST_FOR_CHOICE else _BARE


def _tuned(task: Task, learnt: Sequence[LabelledDocument], trial: Trial | None, begin: float) -> Tuned:
    return begin_best(
        task.base,
        learnt,
        task.categories,
        seed=task.seed,
        told=part_of(task.told, begin, 0.98),
        tuning=task.tuning,
        trial=trial,
    )


def _both_precisions(task: Task, tuned: Tuned, held: Sequence[LabelledDocument]) -> list[Candidate]:
    return [
        _measured(task, BEST, precision, tuned.graph(precision), tuned.labels, held)
        for precision in (EIGHT_BITS, FLOAT32)
    ]


def _written(task: Task, tuned: Tuned, precision: str, why: str, candidates: tuple[Candidate, ...]) -> Made:
    task.told("writing the model", 0.98)
    choice = Choice(quality=BEST, precision=precision, candidates=candidates, why=why)
    return Made(model=tuned.graph(precision), labels=tuned.labels, how=tuned.how, choice=choice)


def _measured(
    task: Task,
    quality: str,
    precision: str,
    model: bytes,
    labels: Sequence[str],
    held: Sequence[LabelledDocument],
) -> Candidate:
    return measure_candidate(
        task.base, model, labels, held, quality=quality, precision=precision, place=task.place
    )
