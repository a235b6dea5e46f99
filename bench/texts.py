"""What is asked: texts one a line, or the documents of a corpus in CoNLL or JSONL, in mixes of length."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

SAMPLE = Path(__file__).parent / "sample.txt"


def read_texts(path: Path = SAMPLE, *, most: int = 512) -> list[str]:
    """Return up to `most` texts of a file, spread evenly over it.

    `.jsonl` has a `text` on each line, `.conll` a token first on each line and an empty line between
    sentences; any other file has a text on each line.
    """
    lines = path.read_text("utf-8").splitlines()
    if path.suffix == ".jsonl":
        texts = [json.loads(line)["text"] for line in lines if line.strip()]
    elif path.suffix == ".conll":
        texts = list(_sentences(lines))
    else:
        texts = [line for line in lines if line.strip()]
    step = max(1, len(texts) // most)
    return texts[::step][:most]


def _sentences(lines: Sequence[str]) -> Iterator[str]:
    words: list[str] = []
    for line in [*lines, ""]:
        if line.strip():
            words.append(line.split("\t")[0])
        elif words:
            yield " ".join(words)
            words = []


def of_length(texts: Sequence[str], characters: int) -> str:
    """Return a text of about that many characters, made of whole texts where it is longer than one."""
    joined = " ".join(texts)
    while len(joined) < characters:
        joined += " " + joined
    return joined[:characters]


def analyze_bodies(texts: Sequence[str], documents: int = 1) -> list[str]:
    """Return request bodies of `/language/:analyze-text` with so many documents each."""
    groups = [
        [texts[(first + n) % len(texts)] for n in range(documents)]
        for first in range(0, len(texts), documents)
    ]
    return [
        json.dumps(
            {
                "kind": "EntityRecognition",
                "analysisInput": {
                    "documents": [
                        {"id": str(n), "language": "en", "text": text} for n, text in enumerate(group)
                    ]
                },
            }
        )
        for group in groups
    ]


def peer_bodies(texts: Sequence[str], documents: int = 1) -> list[str]:
    """Return the same texts as the peers read them."""
    return [
        json.dumps(
            {"texts": [document["text"] for document in json.loads(body)["analysisInput"]["documents"]]}
        )
        for body in analyze_bodies(texts, documents)
    ]
