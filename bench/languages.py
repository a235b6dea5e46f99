"""Custom models in other languages than English: F1 with either bundled encoder, as a table.

    python -m bench languages --data ../shared/data/ner --out runs [--sentences 500] [--quality fast]

Each model learns from the first sentences of a language's training part that hold a name, and is examined on
the whole development part. The last column learnt English sentences alone and is examined in each language.
Each training is the command a person would type, in a process of its own; its figures are kept under `--out`.
"""

import argparse
import json
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from subprocess import CalledProcessError
from typing import Any, Final

from bench.custom import appliance
from recipes.multilingual.corpora import LANGUAGES, read_texts
from recipes.ner.corpora import Sentence

ENGLISH: Final = "en-ewt"
BASES: Final = ("en", "multi")


def write(sentences: Iterable[Sentence], path: Path) -> Path:
    """Write sentences as one JSON object a line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [
        {
            "text": item.text,
            "entities": [{"start": one.start, "end": one.end, "label": one.kind} for one in item.gold],
        }
        for item in sentences
    ]
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def files(source: str, root: Path, out: Path, count: int) -> tuple[Path, Path]:
    """Return what is learnt from and what examines; of English there is one part, which is divided."""
    folder = root / "multi" / source
    if source == ENGLISH:
        sentences = list(read_texts(folder / "dev.conll", source))
        learnt, asked = sentences[: len(sentences) // 2], sentences[len(sentences) // 2 :]
    else:
        learnt = list(read_texts(folder / "train.conll", source))
        asked = list(read_texts(folder / "dev.conll", source))
    named = islice((item for item in learnt if item.gold), count)
    return (
        write(named, out / "texts" / source / "train.jsonl"),
        write(asked, out / "texts" / source / "test.jsonl"),
    )


def trained(source: str, base: str, given: argparse.Namespace) -> dict[str, Any]:
    """Return the figures of a model in a language, trained unless it was before."""
    place = given.out / given.quality / base
    kept = place / f"{source}.json"
    if not kept.exists():
        learnt, asked = files(source, given.data, given.out, given.sentences)
        language = LANGUAGES.get(source, "en")
        project = given.out / "projects" / source
        if not project.exists():
            appliance("dataset", "convert", "--train", learnt, "--test", asked, "--language", language,
                      "--out", project)  # fmt: skip
        place.mkdir(parents=True, exist_ok=True)
        told = appliance(
            "train", project / "project.json", "--documents", project / "documents", "--split", "file",
            "--out", place / source, "--base", base, "--quality", given.quality, "--json",
        )  # fmt: skip
        kept.write_text(told, encoding="utf-8")
    found: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))
    return found


def abroad(source: str, given: argparse.Namespace) -> dict[str, Any]:
    """Return the figures of the model that learnt English, in another language."""
    model = given.out / given.quality / "multi" / ENGLISH
    asked = given.out / "texts" / source / "test.jsonl"
    found: dict[str, Any] = json.loads(appliance("models", "test", model, "--labelled", asked, "--json"))
    return found


def table(rows: Sequence[Sequence[str]]) -> str:
    """Lay rows out in Markdown."""
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def f1(found: dict[str, Any]) -> str:
    """Return F1 over all categories, in per cent."""
    return f"{100 * found['micro']['f1']:.1f}"


def main() -> None:
    """Train, examine, print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench languages", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder with multi/")
    parser.add_argument("--out", type=Path, required=True, help="where models and figures are kept")
    parser.add_argument("--sentences", type=int, default=500, help="how many are learnt from")
    parser.add_argument("--quality", choices=("fast", "best"), default="fast")
    parser.add_argument("--only", default="", help="sources, separated by commas")
    given = parser.parse_args()
    rows = [["source", "entities", *(f"{given.quality}, base {base}" for base in BASES), "learnt English"]]
    rows.append(["---"] * len(rows[0]))
    for source in given.only.split(",") if given.only else (ENGLISH, *LANGUAGES):
        if source != ENGLISH:
            trained(ENGLISH, "multi", given)
        found = []
        for base in BASES:
            try:
                found.append(trained(source, base, given))
            except CalledProcessError:  # the English encoder cannot read it
                found.append({"micro": {"f1": float("nan")}})
        support = str(found[-1]["micro"]["support"])
        rows.append([source, support, *map(f1, found), f1(abroad(source, given))])
    print(table(rows))


if __name__ == "__main__":
    main()
