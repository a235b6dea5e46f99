"""Which bundled encoder a project is trained from, where nobody said: by its languages, then by F1."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from appliance.datasets.document import Labelled, LabelledDocument, categories_of
from appliance.datasets.language_tags import covers, stated
from appliance.ner.tokenizer import tokenizer_of
from appliance.onnx_tools.quantization import TOLERATED
from appliance.training.base.open_base import ENGLISH, MANY, Base, bundled_base
from appliance.training.best.train_best import EIGHT_BITS
from appliance.training.choice import Candidate, hold_back
from appliance.training.fast.train_fast import Told, train_fast
from appliance.training.label_spans import fit_labels, trim_labels
from appliance.training.make_model import FAST
from appliance.training.measure_candidate import measure_candidate
from appliance.training.readable import MANY_PIECES, NOTED, read_by_language

_ASKED: Final = "it was asked for"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenBase:
    """An encoder to train from.

    Attributes:
        base: It.
        why: Why it, in a sentence.
        candidates: What was measured; empty where the languages decide.
    """

    base: Base
    why: str = _ASKED
    candidates: tuple[Candidate, ...] = ()

    def as_object(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "name": self.base.name or self.base.folder.name,
            "why": self.why,
            "f1": {
                name: one.f1
                for name, one in zip((ENGLISH, MANY), self.candidates, strict=bool(self.candidates))
            },
        }


def base_for_languages(labelled: Labelled, documents: Sequence[LabelledDocument]) -> str:
    """Say why documents need the encoder of many languages; an empty string if they do not."""
    if labelled.multilingual:
        return "the project is multilingual"
    others = {
        tag
        for document in documents
        if not covers((ENGLISH,), tag := stated(document.language) or labelled.language)
    }
    if others:
        return f"documents are in {', '.join(sorted(others)[:5])}"
    readings = read_by_language(documents, tokenizer_of(bundled_base(ENGLISH).folder), labelled.language)
    for reading in readings.values():
        if reading.unknown_share > NOTED:
            return f"{reading.unknown_share:.0%} of the tokens are unknown to the English one"
        if reading.pieces > MANY_PIECES:
            return f"the English one cuts a word into {reading.pieces:.1f} pieces"
    return ""


def choose_base(
    labelled: Labelled, documents: Sequence[LabelledDocument], *, seed: int, place: Path, told: Told
) -> ChosenBase:
    """Choose between the bundled encoders.

    Where the languages do not decide, a fast model is trained from each, on four fifths of the training
    documents, and measured on the others. That of many languages is larger, and has to be better by more
    than the loss that 8-bit weights may cause.

    Args:
        labelled: The project.
        documents: The training documents.
        seed: Of starting weights and order.
        place: Folder in which models that are compared may lie for a while.
        told: Hears what is being done and the share of all that is done.
    """
    reason = base_for_languages(labelled, documents)
    if reason:
        return ChosenBase(base=bundled_base(MANY), why=f"the encoder of many languages was taken: {reason}")
    learnt, held = hold_back(documents)
    if not held:
        return ChosenBase(
            base=bundled_base(ENGLISH),
            why="the English encoder was taken: the documents are in English, and too few to compare",
        )
    measured = []
    for number, name in enumerate((ENGLISH, MANY)):
        base = bundled_base(name)
        measured.append(_measured(base, learnt, held, seed=seed, place=place))
        told(f"comparing the encoders: {name}", (number + 1) / 2)
    english, many = measured
    taken = MANY if many.f1 - english.f1 > TOLERATED else ENGLISH
    why = (
        f"the {'encoder of many languages' if taken == MANY else 'English encoder'} was taken: fast has F1"
        f" {100 * english.f1:.1f} with {ENGLISH} and {100 * many.f1:.1f} with {MANY}, on {len(held)} training"
        " documents held back"
    )
    return ChosenBase(base=bundled_base(taken), why=why, candidates=tuple(measured))


def _measured(
    base: Base,
    learnt: Sequence[LabelledDocument],
    held: Sequence[LabelledDocument],
    *,
    seed: int,
    place: Path,
) -> Candidate:
    fitted = fit_labels(learnt, tokenizer_of(base.folder)).documents
    model, labels, _ = train_fast(
        base, fitted, categories_of(fitted), seed=seed, told=lambda _step, _share: None
    )
    # Labels in their own places: widened to the words of either tokenizer, they would favour the coarser one.
    asked = [replace(document, labels=trim_labels(document)) for document in held]
    return measure_candidate(base, model, labels, asked, quality=FAST, precision=EIGHT_BITS, place=place)
