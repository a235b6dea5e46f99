"""Rows of Hugging Face: `{"tokens", "ner_tags"}` as JSON or JSONL, tags by name or by number.

Numbers need names: from the file (`features`), from `dataset_info.json` beside it, or from `--labels`. Rows
are sentences; `document_id` tells documents apart.
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from appliance.datasets.document import LabelledDocument
from appliance.datasets.formats.format import Contents, Format, ReadOptions, SourceFile
from appliance.datasets.formats.json_values import Record, Records, dump, each, fits, items, string
from appliance.datasets.formats.spans.span_values import require_records
from appliance.datasets.formats.tag_names import names_in, numbered_tags
from appliance.datasets.formats.tokens.token_rows import Group, Sentence, contents, sentences_of
from appliance.datasets.label_errors import DatasetError, Mistake
from appliance.datasets.tag_schemes import Scheme, is_tag, recognise, runs, tags_of

_EXAMPLE: Final = '{"tokens": ["Anna", "sings"], "ner_tags": ["B-PER", "O"]}'
_WORDS: Final = ("tokens", "words")
_TAGS: Final = ("ner_tags", "tags", "ner", "labels", "ner_labels")
_DESCRIPTIONS: Final = ("dataset_info.json", "dataset_infos.json")


def sniff(file: SourceFile) -> bool:
    """Whether most records have a list of words, and as many tags."""
    return fits(_rows(file.records), lambda value: _tags(value) is not None)


def _rows(records: Records | None) -> Records | None:
    """Return the rows below `rows` or `data`, as servers of data sets write them."""
    if records is None or not isinstance(records.whole, dict):
        return records
    for key in ("rows", "data"):
        found = records.whole.get(key)
        if isinstance(found, list):
            values = [one["row"] if isinstance(one, dict) and "row" in one else one for one in found]
            return Records(
                [Record(number, 0, one) for number, one in enumerate(values, 1)], [], records.whole
            )
    return records


def _words(value: dict[str, Any]) -> list[Any] | None:
    return next((value[key] for key in _WORDS if isinstance(value.get(key), list)), None)


def _tags(value: dict[str, Any]) -> list[Any] | None:
    words = _words(value)
    if words is None or not all(isinstance(word, str) for word in words):
        return None
    for key in _TAGS:
        tags = value.get(key)
        if isinstance(tags, list) and len(tags) == len(words) and all(isinstance(t, str | int) for t in tags):
            return tags
    return None


def read(file: SourceFile, options: ReadOptions) -> Contents:
    """Read the rows of a file.

    Raises:
        DatasetError: Its tags are numbers and nothing names them, or they are no tags.
    """
    records = _rows(require_records(file, "rows of tokens and ner_tags")) or Records([], [])
    rows, mistakes = each(records, file.name, _row, _EXAMPLE)
    numbered = any(isinstance(tag, int) for row in rows for tag in row.tags)
    rows, wrong = _named(rows, file, options, records.whole)
    scheme = _scheme(rows, file.name)
    groups: list[Group] = []
    for row in rows:
        wrong += [
            Mistake(document=row.name, line=0, reason=f"{tag[:40]!r} is no tag", remedy="write O, B-… or I-…")
            for tag in row.tags
            if not is_tag(tag, scheme)
        ]
        if not groups or row.document != groups[-1].called:
            groups.append(Group([], row.document))
        if row.words:
            groups[-1].sentences.append(Sentence(row.words, runs(row.tags, scheme)[0]))
    told_apart = any(row.document for row in rows)
    made = contents(file.name, groups, options, told_apart=told_apart, mistakes=[*mistakes, *wrong])
    return replace(made, numbered=numbered)


class _Row:
    def __init__(self, name: str, words: list[str], tags: list[Any], document: str) -> None:
        self.name = name
        self.words = words
        self.tags = tags
        self.document = document


def _row(record: Record, called: str) -> _Row:
    value = record.value
    words = [string(word, "a token") for word in items(_words(value), "tokens")]
    tags = _tags(value)
    if tags is None:
        raise ValueError(f"it has {len(words)} tokens and not as many tags")
    if any(not word.strip() for word in words):
        raise ValueError("a token is empty")
    document = value.get("document_id", value.get("doc_id", ""))
    return _Row(called, words, tags, str(document)[:60])


def _named(
    rows: list[_Row], file: SourceFile, options: ReadOptions, whole: Any
) -> tuple[list[_Row], list[Mistake]]:
    """Put names in the place of numbers."""
    if not any(isinstance(tag, int) for row in rows for tag in row.tags):
        return rows, []
    names = options.names or names_in(whole if isinstance(whole, dict) else {}) or _described(file)
    if not names:
        raise numbered_tags(file.name)
    mistakes = []
    for row in rows:
        known = [isinstance(tag, int) and 0 <= tag < len(names) for tag in row.tags]
        if not all(known):
            reason = f"it has a tag that is none of the {len(names)} that are named"
            mistakes.append(
                Mistake(document=row.name, line=0, reason=reason, remedy="name all with --labels")
            )
        row.tags = [names[tag] if good else "O" for tag, good in zip(row.tags, known, strict=True)]
    return rows, mistakes


def _described(file: SourceFile) -> tuple[str, ...]:
    for name in _DESCRIPTIONS:
        data = file.beside(name)
        if isinstance(data, bytes):
            try:
                return names_in(json.loads(data))
            except (ValueError, RecursionError):
                continue
    return ()


def _scheme(rows: Sequence[_Row], name: str) -> Scheme:
    found = recognise(Counter(tag for row in rows for tag in row.tags))
    if found is None and any(row.tags for row in rows):
        raise DatasetError(f"{name}: its tags are none such as O, B-PER, I-PER", hint="see --labels")
    return found or Scheme("IOB2", prefixed=True)


def write(documents: Sequence[LabelledDocument], stem: str) -> dict[str, bytes]:
    """Write a sentence a line, tags by name."""
    lines = []
    for number, document in enumerate(documents, 1):
        for words, found in sentences_of(document):
            tokens = [document.text[start:end] for start, end in words]
            row = {"document_id": str(number), "tokens": tokens}
            lines.append(dump(row | {"ner_tags": tags_of(len(tokens), found, "IOB2")}))
    return {f"{stem}.jsonl": b"".join(lines)}


HUGGING_FACE: Final = Format(
    name="hugging-face",
    title="Hugging Face",
    sniff=sniff,
    read=read,
    write=write,
    exact=False,
    note="rows with `tokens` and `ner_tags`; numbers with `--labels`, `features` or `dataset_info.json`",
)
