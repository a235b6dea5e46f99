"""An evaluation in lines for a person, and as JSON: one model, or two beside each other."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from appliance.speech.evaluation.evaluate import Evaluation, HeardRecording
from appliance.speech.evaluation.word_errors import Pair, WordErrors
from appliance.statistics.paired_bootstrap import Difference, difference_of_ratios

UNSTATED: Final = "(unstated)"
ALL: Final = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Between:
    """Two models on the same recordings.

    Attributes:
        all: Difference of the word error rates, the second less the first.
        speakers: The same by speaker, sorted.
    """

    all: Difference
    speakers: dict[str, Difference]


def between(first: Evaluation, second: Evaluation) -> Between:
    """Compare two models that heard the same recordings."""
    pairs = list(zip(first.heard, second.heard, strict=True))
    speakers = first.by_speaker()
    return Between(
        all=_difference(pairs),
        speakers={
            speaker: _difference([pair for pair in pairs if pair[0].recording.speaker == speaker])
            for speaker in speakers
        },
    )


def _difference(pairs: Sequence[tuple[HeardRecording, HeardRecording]]) -> Difference:
    one, two = (
        [(float(pair[side].errors.errors), float(pair[side].errors.words)) for pair in pairs]
        for side in (0, 1)
    )
    return difference_of_ratios(one, two)


def lines(found: Sequence[Evaluation], worst: int) -> list[str]:
    """Lay one or two evaluations out, with at most `worst` recordings."""
    return _one(found[0], worst) if len(found) == 1 else _two(found[0], found[1], worst)


def _head(found: Evaluation) -> str:
    errors = found.errors
    return f"{errors.recordings} recordings, {found.audio_seconds / 60:.1f} minutes, {errors.words} words"


def _pace(found: Evaluation) -> str:
    return f"{found.seconds:.1f} s with {found.threads} thread{'s' if found.threads > 1 else ''}"


def _name(found: Evaluation) -> str:
    return f"{found.model} {found.release}".strip()


def _one(found: Evaluation, worst: int) -> list[str]:
    rows = {**{name or UNSTATED: one for name, one in found.by_speaker().items()}, ALL: found.errors}
    width = max(len("speaker"), *map(len, rows))
    made = [
        f"{_name(found)}: {_head(found)}, heard in {_pace(found)}",
        f"{'speaker':{width}} {'recordings':>10} {'words':>6} {'changed':>7} {'put in':>6} {'left out':>8}"
        f" {'WER %':>6} {'right %':>7}",
    ]
    made += [
        f"{name:{width}} {one.recordings:10} {one.words:6} {one.substitutions:7} {one.insertions:6}"
        f" {one.deletions:8} {100 * one.rate:6.1f} {100 * one.right / one.recordings:7.1f}"
        for name, one in rows.items()
    ]
    shown = worst_of([found], worst)
    if shown:
        made += ["", f"the worst {len(shown)}:" if len(shown) > 1 else "the worst:"]
        for at in shown:
            made += _side_by_side(found.heard[at])
    return made


def _two(first: Evaluation, second: Evaluation, worst: int) -> list[str]:
    found, sides = between(first, second), (first, second)
    names = [*first.by_speaker(), ALL]
    width = max(len("speaker"), *(len(name or UNSTATED) for name in names))
    made = [
        *(
            f"{letter} = {_name(one)}, heard in {_pace(one)}: {_kinds(one.errors)}"
            for letter, one in zip("AB", sides, strict=True)
        ),
        _head(first),
        f"{'speaker':{width}} {'recordings':>10} {'words':>6} {'WER A':>6} {'WER B':>6} {'B less A':>9}"
        f" {'95 % between':>15}",
    ]
    for speaker, difference in found.speakers.items():
        counts = [one.by_speaker()[speaker] for one in sides]
        made.append(_row(speaker or UNSTATED, counts, difference, width))
    made += [_row(ALL, [one.errors for one in sides], found.all, width), verdict(found.all, sides)]
    shown = worst_of(sides, worst)
    if shown:
        made += ["", f"they differ most in {'these' if len(shown) > 1 else 'this'}:"]
        for at in shown:
            made += _three_lines(first.heard[at], second.heard[at])
    return made


def _kinds(errors: WordErrors) -> str:
    return f"{errors.substitutions} changed, {errors.insertions} put in, {errors.deletions} left out"


def _row(name: str, counts: Sequence[WordErrors], difference: Difference, width: int) -> str:
    ends = f"{100 * difference.low:+.1f} … {100 * difference.high:+.1f}"
    rates = " ".join(f"{100 * one.rate:6.1f}" for one in counts)
    first = counts[0]
    less = f"{100 * difference.value:+9.1f} {ends:>15}"
    return f"{name:{width}} {first.recordings:10} {first.words:6} {rates} {less}"


def verdict(found: Difference, sides: Sequence[Evaluation]) -> str:
    """Say what the difference proves, and what not."""
    if all(one.pairs == other.pairs for one, other in zip(sides[0].heard, sides[1].heard, strict=True)):
        return "both hear the same"
    if found.sure:
        better = "B" if found.value < 0 else "A"
        return f"{better} is better on recordings like these: the difference is beyond chance (95 %)"
    return "these recordings are too few to say which is better: the difference may be chance"


def worst_of(found: Sequence[Evaluation], most: int) -> list[int]:
    """Return where most words are wrong; of two models, where one has most more wrong than the other."""
    first, last = found[0].heard, found[-1].heard
    scores = [
        abs(one.errors.errors - other.errors.errors) if len(found) > 1 else one.errors.errors
        for one, other in zip(first, last, strict=True)
    ]
    order = sorted((at for at, score in enumerate(scores) if score), key=lambda at: (-scores[at], at))
    return order[:most]


def marked(pairs: Sequence[Pair]) -> tuple[str, str]:
    """Return what was said and what was heard, one below the other: errors in capitals, gaps as asterisks."""
    said: list[str] = []
    heard: list[str] = []
    for one, other in pairs:
        width = max(len(one or ""), len(other or ""))
        changed = one != other
        for row, word in ((said, one), (heard, other)):
            text = "*" * width if word is None else word.upper() if changed else word
            row.append(text.ljust(width))
    return " ".join(said).rstrip(), " ".join(heard).rstrip()


def _side_by_side(one: HeardRecording) -> list[str]:
    said, heard = marked(one.pairs)
    return [_title(one, str(one.errors.errors)), f"    said:  {said}", f"    heard: {heard}"]


def _three_lines(first: HeardRecording, second: HeardRecording) -> list[str]:
    said = [word for word, _ in first.pairs if word is not None]
    wrong = f"{first.errors.errors} by A and {second.errors.errors} by B"
    return [
        _title(first, wrong),
        f"    said: {' '.join(said)}",
        *(
            f"    {letter}:    {' '.join(one.heard)}"
            for letter, one in zip("AB", (first, second), strict=True)
        ),
    ]


def _title(one: HeardRecording, wrong: str) -> str:
    return f"  {one.recording.path}, line {one.recording.line}: {wrong} of {one.errors.words} words wrong"


def evaluation_object(found: Sequence[Evaluation], worst: int) -> dict[str, Any]:
    """Return one or two evaluations as JSON; texts of at most `worst` recordings."""
    first = found[0]
    made: dict[str, Any] = {
        "recordings": first.errors.recordings,
        "words": first.errors.words,
        "audioSeconds": round(first.audio_seconds, 2),
        "models": [
            {
                "model": one.model,
                "release": one.release,
                "seconds": round(one.seconds, 2),
                "threads": one.threads,
                **_counts(one.errors),
                "speakers": {name: _counts(counts) for name, counts in one.by_speaker().items()},
            }
            for one in found
        ],
    }
    if len(found) > 1:
        both = between(found[0], found[1])
        made["difference"] = {
            **_ends(both.all),
            "beyondChance": both.all.sure,
            "speakers": {name: _ends(one) for name, one in both.speakers.items()},
        }
    made["shown"] = [
        {
            "path": first.heard[at].recording.path,
            "line": first.heard[at].recording.line,
            "speaker": first.heard[at].recording.speaker,
            "said": " ".join(word for word, _ in first.heard[at].pairs if word is not None),
            "heard": [" ".join(one.heard[at].heard) for one in found],
            "errors": [one.heard[at].errors.errors for one in found],
        }
        for at in worst_of(found, worst)
    ]
    return made


def _counts(errors: WordErrors) -> dict[str, Any]:
    return {
        "recordings": errors.recordings,
        "words": errors.words,
        "wer": errors.rate,
        "substitutions": errors.substitutions,
        "insertions": errors.insertions,
        "deletions": errors.deletions,
        "right": errors.right,
    }


def _ends(found: Difference) -> dict[str, float]:
    return {"wer": found.value, "low": found.low, "high": found.high}
