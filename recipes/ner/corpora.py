"""The corpora a general English model is trained and scored on: reading, label mapping, fixed splits."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

TYPES = ("Person", "Organization", "Location")
OTHER = "Other"
"""A name of another kind (a book, an award, a nationality): learnt on the side, served as no entity."""
UNKNOWN = "Unknown"
"""A stretch of which the source does not say whether it is a name of another kind."""

LABELS = ("O", *(f"{prefix}-{name}" for name in (*TYPES, OTHER) for prefix in "BI"))
SERVED_LABELS = LABELS[: 1 + 2 * len(TYPES)]

MERGED = {"PER": "Person", "ORG": "Organization", "LOC": "Location"}
SERVED_ELSEWHERE = {
    **{name.lower(): kind for name, kind in MERGED.items()},
    **dict.fromkeys(["person", "musicalartist", "politician", "researcher", "scientist", "writer"], "Person"),
    **dict.fromkeys(
        ["organisation", "organization", "corporation", "group", "band", "politicalparty", "university"],
        "Organization",
    ),
    **dict.fromkeys(["location", "country"], "Location"),
}
"""Labels of the sources as `merged` and `merged-addition` map them, in any letter case."""

OTHER_NAMES = frozenset(
    [
        *("misc", "product", "creative-work", "album", "song", "book", "poem", "award", "event", "election"),
        *("magazine", "academicjournal", "conference", "programlang", "astronomicalobject"),
    ]
)
NAMES_OTHERS = frozenset({"wikigold", "crossner"})
"""The sources that mark every name of another kind: only there does O rule one out."""

GENERAL = ("btc", "wnut17", "wikigold", "multiner-en", "gum-names")
CROSSNER = ("ai", "literature", "music", "politics", "science")
HELD_SETS = ("wikigold", "crossner", "uner-ewt", "btc", "multiner-en", "wnut17")

BLOCK = 25
HELD_BLOCKS = 5
TUNE_BLOCKS = 25


class Span(NamedTuple):
    """Code points `start:end` of a text, and what they name."""

    start: int
    end: int
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """One labelled text of a corpus (`crossner` for all five domains); spans are sorted and disjoint."""

    source: str
    text: str
    spans: tuple[Span, ...]

    @property
    def key(self) -> str:
        """What two copies of one sentence share: the text without case and white space."""
        return "".join(self.text.casefold().split())

    @property
    def gold(self) -> tuple[Span, ...]:
        """The spans a served model is asked for."""
        return tuple(span for span in self.spans if span.kind in TYPES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpora:
    """The fixed splits: no text of `held` or `tune` is in `train`.

    train: what the weights are fitted to. tune: a small part of each training source, for choices made while
    building. held: six sets, by name, for the reported scores and nothing else.
    """

    train: list[Sentence]
    tune: list[Sentence]
    held: dict[str, list[Sentence]] = field(default_factory=dict)


Rows = list[tuple[str, str]]


def read_conll(path: Path) -> Iterator[Rows]:
    """Yield the sentences of a `TOKEN<TAB>TAG` file (BIO, UTF-8, an empty line after each)."""
    rows: Rows = []
    for line in path.read_text(encoding="utf-8").split("\n"):
        if line:
            token, _, tag = line.partition("\t")
            rows.append((token, tag))
        elif rows:
            yield rows
            rows = []
    if rows:
        yield rows


def read_file(path: Path) -> list[Sentence]:
    """Read a `.conll` or `.jsonl` file; labels are mapped to the served types, all others left out."""
    if path.suffix == ".conll":
        return [sentence(path.stem, rows, SERVED_ELSEWHERE) for rows in read_conll(path)]
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        document = json.loads(line)
        spans = sorted(
            Span(entity["start"], entity["end"], SERVED_ELSEWHERE[entity["label"].lower()])
            for entity in document["entities"]
            if entity["label"].lower() in SERVED_ELSEWHERE
        )
        found.append(Sentence(source=path.stem, text=document["text"], spans=tuple(spans)))
    return found


def sentence(source: str, rows: Rows, kinds: dict[str, str]) -> Sentence:
    """Join tokens by single spaces, and BIO tags to spans of the kinds given (lower-case label to kind)."""
    spans: list[Span] = []
    start = 0
    before = "O"
    for token, tag in rows:
        end = start + len(token)
        prefix, _, label = tag.partition("-")
        kind = kinds.get(label.lower())
        if kind and prefix == "I" and before[2:] == label:
            spans[-1] = Span(spans[-1].start, end, kind)
        elif kind:
            spans.append(Span(start, end, kind))
        before = tag
        start = end + 1
    return Sentence(source=source, text=" ".join(token for token, _ in rows), spans=tuple(spans))


def read_corpora(root: Path) -> Corpora:
    """Read the corpora under `root`, the folder with `general/` and `general-sharealike/`, and split them.

    The dev splits of `general/` are held out whole. UNER EWT and CrossNER come as training data only: of
    every five blocks of 25 sentences in file order the third is held out. Of every 25 such blocks of what is
    left of a source, one is kept for tuning. Training sentences that also occur in a held or tuning set are
    dropped.
    """
    held: dict[str, list[Sentence]] = {name: [] for name in HELD_SETS}
    for item in _with_sources(root / "general", GENERAL, "dev"):
        held[item.source].append(item)
    rest: list[Sentence] = []
    addition = root / "general-sharealike"
    parts = ["uner-ewt", *(f"crossner/{domain}" for domain in CROSSNER)]
    by_part: dict[str, list[Sentence]] = {}
    for item in _with_sources(addition, parts, "train", merged="merged-addition"):
        by_part.setdefault(item.source, []).append(item)
    for part, items in by_part.items():
        source = part.partition("/")[0]
        for index, item in enumerate(items):
            renamed = Sentence(source=source, text=item.text, spans=item.spans)
            (held[source] if index // BLOCK % HELD_BLOCKS == HELD_BLOCKS // 2 else rest).append(renamed)
    rest = [*_with_sources(root / "general", GENERAL, "train"), *rest]
    seen = {item.key for items in held.values() for item in items}
    rest = [item for item in rest if item.key not in seen]
    train: list[Sentence] = []
    tune: list[Sentence] = []
    counts: dict[str, int] = {}
    for item in rest:
        counts[item.source] = index = counts.get(item.source, -1) + 1
        (tune if index // BLOCK % TUNE_BLOCKS == TUNE_BLOCKS // 2 else train).append(item)
    seen = {item.key for item in tune}
    return Corpora(train=[item for item in train if item.key not in seen], tune=tune, held=held)


def _with_sources(
    folder: Path, parts: Iterable[str], split: str, merged: str = "merged"
) -> Iterator[Sentence]:
    """Yield the sentences of the merged file with the corpus they are from, and its names of other kinds.

    The merged files hold the mapped labels but not the source; the sources' own files tell it.
    """
    origins: dict[tuple[str, ...], list[tuple[str, Rows]]] = {}
    for part in parts:
        for name in ("train", "dev") if merged != "merged" else (split,):
            path = folder / part / f"{name}.conll"
            for rows in read_conll(path) if path.exists() else ():
                origins.setdefault(tuple(token for token, _ in rows), []).append((part, rows))
    for rows in read_conll(folder / merged / f"{split}.conll"):
        part, original = origins[tuple(token for token, _ in rows)][0]
        item = sentence(part, rows, {name.lower(): kind for name, kind in MERGED.items()})
        taken = [False] * len(item.text)
        for span in item.spans:
            taken[span.start : span.end] = [True] * (span.end - span.start)
        labels = {tag[2:].lower() for _, tag in original if tag != "O"}
        kinds = {
            label: OTHER if label in OTHER_NAMES else UNKNOWN for label in labels - set(SERVED_ELSEWHERE)
        }
        if part == "multiner-en":
            kinds = dict.fromkeys(kinds, UNKNOWN)
        others = [
            span for span in sentence(part, original, kinds).spans if not any(taken[span.start : span.end])
        ]
        yield Sentence(source=part, text=item.text, spans=tuple(sorted([*item.spans, *others])))
