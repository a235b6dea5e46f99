"""CoNLL and JSONL to labelled documents.

CoNLL: a token and its tag a line (the first and the last column, tabs or spaces between), BIO, IOB or BILOU
tags, an empty line after a sentence, `-DOCSTART-` between documents. JSONL: a document a line, `{"id",
"text", "entities": [{"start", "end", "label"}]}`, offsets in code points, ends exclusive.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from appliance.datasets.document import Label, LabelledDocument, categories_of
from appliance.datasets.label_errors import Claim, DatasetError, LabellingMistakes, Mistake, check_claims
from appliance.datasets.project import MAX_PROJECT_BYTES
from license.errors import LicenseError
from license.files import read_limited

SENTENCES: Final = 10
"""Sentences that make one document where a CoNLL file does not tell documents apart."""

_OPENS: Final = frozenset("BSU")
Rows = list[tuple[str, str]]


def read_file(path: Path, *, dataset: str = "", sentences: int = SENTENCES) -> list[LabelledDocument]:
    """Read a `.conll` (`.bio`, `.iob`, `.tsv`, `.txt`) or `.jsonl` file.

    Args:
        path: The file.
        dataset: `Train`, `Test` or the empty string, for every document of it.
        sentences: Sentences a document, for a CoNLL file without `-DOCSTART-`.

    Raises:
        DatasetError: The file cannot be read.
        LabellingMistakes: Everything that is wrong with its labels.
    """
    try:
        text = read_limited(path, MAX_PROJECT_BYTES).decode("utf-8-sig")
    except LicenseError as error:
        raise DatasetError(error.message, hint=error.hint) from error
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path} is not UTF-8 (byte {error.start})", hint="save it as UTF-8") from None
    if path.suffix.lower() in (".jsonl", ".ndjson"):
        return _read_jsonl(text, path.name, dataset)
    return _read_conll(text, path, dataset, sentences)


def _read_jsonl(text: str, name: str, dataset: str) -> list[LabelledDocument]:
    documents: list[LabelledDocument] = []
    mistakes: list[Mistake] = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            called, body, claims = _entry(json.loads(line))
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            reason = f"it holds no labelled document ({type(error).__name__}: {error})"
            remedy = 'write {"text": …, "entities": [{"start", "end", "label"}]}'
            mistakes.append(Mistake(document=name, line=number, reason=reason, remedy=remedy))
            continue
        called = f"{name}:{number}" + (f" ({called})" if called else "")
        known = frozenset(claim.category for claim in claims)
        labels, wrong = check_claims(called, body, claims, known, None)
        mistakes += wrong
        documents.append(LabelledDocument(name=called, text=body, labels=labels, dataset=dataset))
    if mistakes:
        raise LabellingMistakes(mistakes)
    return documents


def _entry(value: Any) -> tuple[str, str, list[Claim]]:
    text, entities = value["text"], value.get("entities", value.get("labels", []))
    if not isinstance(text, str):
        raise TypeError("text is not a string")
    claims = []
    for entity in entities:
        start, end, label = (
            (entity["start"], entity["end"], entity["label"])
            if isinstance(entity, dict)
            else (entity[0], entity[1], entity[2])
        )
        if not isinstance(label, str) or not label or not isinstance(start, int) or not isinstance(end, int):
            raise TypeError("an entity needs start and end as whole numbers, and a label")
        claims.append(Claim(category=label, offset=start, length=end - start))
    return str(value.get("id", ""))[:60], text, claims


def _read_conll(text: str, path: Path, dataset: str, sentences: int) -> list[LabelledDocument]:
    mistakes: list[Mistake] = []
    documents = []
    for number, group in enumerate(_documents(text, path.name, sentences, mistakes), 1):
        body, labels = _joined(group)
        documents.append(
            LabelledDocument(name=f"{path.name}#{number}", text=body, labels=labels, dataset=dataset)
        )
    if mistakes:
        raise LabellingMistakes(mistakes)
    return documents


def _documents(text: str, name: str, sentences: int, mistakes: list[Mistake]) -> Iterator[list[Rows]]:
    whole = "-DOCSTART-" in text
    group: list[Rows] = []
    rows: Rows = []
    for number, line in enumerate([*text.splitlines(), ""], 1):
        cells = line.split("\t") if "\t" in line else line.split()
        if cells and cells[0] == "-DOCSTART-":
            if group:
                yield group
            group = []
        elif cells and line.strip():
            if _is_row(cells):
                rows.append((cells[0], cells[-1].strip()))
            else:
                reason = "expected a token and its tag, such as O or B-Person"
                remedy = "put the tag into the last column"
                mistakes.append(Mistake(document=name, line=number, reason=reason, remedy=remedy))
        elif rows:
            group.append(rows)
            rows = []
            if not whole and len(group) >= sentences:
                yield group
                group = []
    if group:
        yield group


def _is_row(cells: Sequence[str]) -> bool:
    tag = cells[-1].strip()
    return (
        len(cells) > 1
        and bool(cells[0])
        and (tag == "O" or (tag[1:2] == "-" and tag[0] in "BILUSE" and len(tag) > 2))
    )


def _joined(group: Sequence[Rows]) -> tuple[str, tuple[Label, ...]]:
    """Join tokens by spaces and sentences by line ends, and tags to labels."""
    lines: list[str] = []
    labels: list[Label] = []
    at = 0
    for rows in group:
        before = "O"
        for token, tag in rows:
            end = at + len(token)
            if tag != "O":
                goes_on = tag[0] not in _OPENS and before[2:] == tag[2:] and before[0] not in "LEUS"
                if goes_on:
                    labels[-1] = Label(labels[-1].start, end, tag[2:])
                else:
                    labels.append(Label(at, end, tag[2:]))
            before = tag
            at = end + 1
        lines.append(" ".join(token for token, _ in rows))
    return "\n".join(lines), tuple(labels)


__all__ = ["SENTENCES", "categories_of", "read_file"]
