"""From labelled documents to a served model folder with its evaluation."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from appliance.datasets.document import Labelled, LabelledDocument, categories_of
from appliance.datasets.label_errors import DatasetError
from appliance.datasets.language_tags import MULTILINGUAL, canonical, is_tag, stated
from appliance.datasets.split import Split
from appliance.ner.model_folder import MODEL, ModelFolder
from appliance.ner.tokenizer import tokenizer_of
from appliance.training.base.open_base import ENGLISH, MANY, Base
from appliance.training.choice import Choice
from appliance.training.choose_base import ChosenBase, choose_base
from appliance.training.evaluation.examine import Answers, examine
from appliance.training.evaluation.learning_curve import Curve
from appliance.training.evaluation.report import Wrong, evaluation_object, worst
from appliance.training.evaluation.scoring import Scores
from appliance.training.fast.train_fast import Told, part_of
from appliance.training.label_spans import fit_labels
from appliance.training.make_model import FAST, Task, make_model
from appliance.training.measure_curve import measure_curve
from appliance.training.model_writer import About, write_card, write_evaluation, write_folder
from appliance.training.readable import check_readable, read_by_language
from license.files import require_room

_WEIGHTS: Final = {"fast": 1, "best": 4, "auto": 4}
"""What a training writes at least, in sizes of the 8-bit encoder; `best` compares it with float32."""


_CHOOSING: Final = 0.2
_MEASURING: Final = 0.2
"""Shares of the work, where encoders are compared and a curve is measured before a model is trained."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """A finished training.

    Attributes:
        folder: The model.
        scores: On the test documents.
        wrong: The worst mistakes on them.
        examined: The test documents, with the labels that were compared.
        answers: What the model found in each of them.
        seconds: Wall-clock seconds of the training, without the test.
        cpu_seconds: Processor seconds of it, all threads together.
        base: The encoder that it was trained from, and why.
        choice: Quality and precision, and why.
        tokens_per_second: What one session answered in the test.
        notes: Things a person should know.
        curve: The learning curve, where it was asked for.
    """

    folder: ModelFolder
    scores: Scores
    wrong: tuple[Wrong, ...]
    examined: tuple[LabelledDocument, ...]
    answers: Answers
    seconds: float
    cpu_seconds: float
    base: ChosenBase
    choice: Choice
    tokens_per_second: float
    notes: tuple[str, ...]
    curve: Curve | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a model is trained.

    Attributes:
        base: The encoder to start from; None: one of the bundled ones, as `choose_base` says.
        quality: One of `make_model.QUALITIES`.
        release: Version of the model.
        seed: Of starting weights and order.
        curve: Whether to measure a learning curve first.
    """

    base: Base | None = None
    quality: str = "fast"
    release: str = "1"
    seed: int = 1
    curve: bool = False


def train(
    labelled: Labelled,
    parts: Split,
    out: Path,
    options: Options,
    *,
    told: Told,
    now: Callable[[], float] = time.time,
) -> Trained:
    """Train a model, write its folder, and examine it as it will be served.

    Args:
        labelled: The project.
        parts: Which documents teach and which examine.
        out: A new folder.
        options: How.
        told: Hears what is being done and the share of all that is done.
        now: Unix seconds, for the model card.

    Raises:
        DatasetError: There is nothing to learn from, the encoder cannot read the texts, or the folder cannot
            be written.
        MissingExtra: `best` without torch.
        NoRoom: The disk is too full for the model.
    """
    if out.exists() and any(out.iterdir()):
        raise DatasetError(f"{out} is not empty", hint="name a new folder with --out")
    chosen = _chosen_base(labelled, parts, out, options, part_of(told, 0.0, _CHOOSING))
    done = _CHOOSING if chosen.candidates else 0.0
    base = chosen.base
    require_room(
        out, _WEIGHTS[options.quality] * (base.folder.path / MODEL).stat().st_size, f"the model {out}"
    )
    tokenizer = tokenizer_of(base.folder)
    every = (*parts.train, *parts.test)
    unread = check_readable(
        read_by_language(every, tokenizer, labelled.language), english=base.name == ENGLISH
    )
    fitted = [fit_labels(documents, tokenizer) for documents in (parts.train, parts.test)]
    parts = replace(parts, train=fitted[0].documents, test=fitted[1].documents)
    used = set(categories_of(parts.train))
    categories = [name for name in labelled.categories if name in used]
    curve = None
    if options.curve:
        curve = measure_curve(
            base, parts.train, categories, seed=options.seed, told=part_of(told, done, done + _MEASURING)
        )
        done += _MEASURING
    began, cpu_began = time.monotonic(), time.process_time()
    task = Task(
        base=base,
        documents=parts.train,
        categories=categories,
        seed=options.seed,
        place=out.parent,
        told=part_of(told, done, 1.0),
    )
    made = make_model(task, options.quality)
    seconds, cpu_seconds = time.monotonic() - began, time.process_time() - cpu_began
    many = labelled.multilingual and base.name == MANY
    language = _language(labelled, base)
    about = About(
        name=labelled.name,
        release=options.release,
        language=language,
        quality=made.choice.quality,
        how=made.how,
        split=parts.how,
        documents=(len(parts.train), len(parts.test)),
        encoder=base.card,
        seconds=seconds,
        components=labelled.components,
        languages=(MULTILINGUAL,) if many else _languages(labelled, language, parts),
    )
    folder = write_folder(out, base.folder, made.model, made.labels, about)
    told("examining the model", 0.99)
    scores, given = examine(folder, parts.test)
    notes = [
        f"{part}: {note}"
        for part, one in zip(("learning", "test"), fitted, strict=True)
        for note in one.notes()
    ]
    notes += unread + _notes(labelled, parts, used)
    if options.base is None:
        notes.append(chosen.why)
    if options.quality != FAST:
        notes.append(made.choice.why)
    wrong = worst(parts.test, given)
    write_evaluation(out, evaluation_object(scores, wrong))
    write_card(out, about, scores, now())
    told("done", 1.0)
    return Trained(
        folder=folder,
        scores=scores,
        wrong=tuple(wrong),
        examined=parts.test,
        answers=given,
        seconds=seconds,
        cpu_seconds=cpu_seconds,
        base=chosen,
        choice=made.choice,
        tokens_per_second=given.tokens / given.seconds if given.seconds else 0.0,
        notes=tuple(notes),
        curve=curve,
    )


def _chosen_base(labelled: Labelled, parts: Split, out: Path, options: Options, told: Told) -> ChosenBase:
    if options.base is not None:
        return ChosenBase(base=options.base)
    return choose_base(labelled, parts.train, seed=options.seed, place=out.parent, told=told)


def _languages(labelled: Labelled, language: str, parts: Split) -> tuple[str, ...]:
    """Languages that are learnt from; empty where that is the language of the model alone."""
    tags = (stated(document.language) or stated(labelled.language) for document in parts.train)
    every = {tag for tag in map(canonical, tags) if is_tag(tag)}
    return () if every <= {language} else tuple(sorted(every))


def _language(labelled: Labelled, base: Base) -> str:
    """The language of the project as a model can state it; empty where that is not known."""
    if labelled.language == MULTILINGUAL:
        return MULTILINGUAL
    tag = canonical(labelled.language)
    if is_tag(tag):
        return tag
    return ENGLISH if base.name == ENGLISH and not labelled.language else ""


def _notes(labelled: Labelled, parts: Split, used: set[str]) -> list[str]:
    listed = labelled.components.categories
    notes = []
    if stated(labelled.language) and not is_tag(canonical(labelled.language)):
        notes.append(
            f"the project's language is no language tag, and the model names none: {labelled.language[:40]!r}"
        )
    notes += [
        f"category {name} is declared, but no training document shows it: "
        + ("its list and expressions alone find it" if name in listed else "the model cannot find it")
        for name in labelled.categories
        if name not in used
    ]
    tested = set(categories_of(parts.test))
    notes += [
        f"category {name} is in no test document: its quality is unknown" for name in sorted(used - tested)
    ]
    unlabelled = sum(not document.labels for document in parts.train)
    if unlabelled:
        notes.append(f"training documents without a label: {unlabelled}; they teach that nothing is in them")
    return notes
