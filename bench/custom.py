"""Custom models on real corpora: F1, training time, size and speed of both qualities, as a table.

    python -m bench custom --data ../shared/data/ner/domain --out runs [--only fast:loan,best:sec] [--seeds 3]

Each run is the command a person would type, in a process of its own; its figures are kept under `--out`, and
a run that is there already is not made again. `plain` is `python -m bench finetune`, `spacy` is
`python -m bench spacy`. One thread for each, so
that processor seconds mean the same on any number of cores. Of several seeds F1 is the mean, beside the least
and the most; all else is that of the first.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any, Final

from appliance.datasets.project import read_project
from appliance.datasets.split import split
from appliance.ner.model_folder import ModelFolder
from appliance.training.evaluation.examine import answers

TRAINED: Final = ("fast", "best", "auto")
"""Those that the product trains; the others are comparisons."""
COMPARED: Final = {"plain": "finetune", "spacy": "spacy"}
QUALITIES: Final = (*TRAINED, *COMPARED)
CORPORA: Final = {
    "loan": ("loan agreements", "loan-agreements", ("loanAgreementsLabels.json", "documents")),
    "rest": ("restaurant queries", "book-restaurant", ("train-small.jsonl",)),
    "re3d": ("re3d, security press", "re3d-security", ("train.jsonl",)),
    "sec": ("SEC credit agreements", "sec-credit-agreements", ("train.conll",)),
    "ncbi": ("NCBI disease", "ncbi-disease", ("--train", "train.conll", "--test", "dev.conll")),
}

PLAIN: Final = {"loan": ("--batch", "4"), "ncbi": ("--epochs", "4")}
"""Few windows need small batches to be given enough steps; an epoch of many is as much as ten of few."""

LEAST_CHARACTERS: Final = 30_000
"""Text that a speed is measured on."""


def appliance(*words: str | Path) -> str:
    return started(sys.executable, "-m", "appliance", *map(str, words))


def started(*command: str) -> str:
    environ = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.run(command, env=environ, stdout=subprocess.PIPE, text=True, check=True).stdout


def project(corpus: str, data: Path, out: Path) -> tuple[Path, Path]:
    """Return the project file and the documents of a corpus, converted where it is no project."""
    _, folder, files = CORPORA[corpus]
    source = data / folder
    if files[0].endswith(".json"):
        return source / files[0], source / files[1]
    made = out / "projects" / corpus
    if not (made / "project.json").exists():
        words = [word if word.startswith("--") else source / word for word in files]
        appliance("dataset", "convert", *words, "--out", made)
    return made / "project.json", made / "documents"


def kept_at(out: Path, quality: str, corpus: str, seed: int) -> Path:
    """Where the figures of a run are kept; its model lies beside them."""
    return out / quality / (f"{corpus}.json" if seed == 1 else f"{corpus}-{seed}.json")


def run(quality: str, corpus: str, data: Path, out: Path, *, base: str, seed: int) -> None:
    kept = kept_at(out, quality, corpus, seed)
    if kept.exists():
        return
    kept.parent.mkdir(parents=True, exist_ok=True)
    file, documents = project(corpus, data, out)
    if quality in COMPARED:
        other = [
            sys.executable,
            *("-m", "bench", COMPARED[quality]),
            str(file),
            "--documents",
            str(documents),
        ]
        more = PLAIN.get(corpus, ()) if quality == "plain" else ()
        told = started(*other, "--json", "--seed", str(seed), *more)
    else:
        model = kept.with_suffix("")
        words = ("train", file, "--documents", documents, "--out", model, "--quality", quality, "--json")
        words_and_seed = (*words, "--base", base, "--seed", str(seed))
        told = json.dumps(
            {**json.loads(appliance(*words_and_seed)), "served": served(model, file, documents)}
        )
    kept.write_text(told)


def served(model: Path, file: Path, documents: Path) -> int:
    """Return the tokens that one session answers in a second of the processor: the best of three turns."""
    texts = [document.text for document in split(read_project(file, documents).documents).test]
    texts *= -(-LEAST_CHARACTERS // sum(map(len, texts)))
    turns = [answers(ModelFolder.open(model), texts) for _ in range(3)]
    return round(max(turn.tokens / turn.cpu_seconds for turn in turns))


def row(corpus: str, out: Path) -> str:
    found = {quality: runs_of(quality, corpus, out) for quality in QUALITIES}
    fast, best, auto = (next(iter(found[quality]), None) for quality in TRAINED)
    support = (fast or best or auto or {"micro": {"support": "?"}})["micro"]["support"]
    cost = re.search(r"8-bit weights cost (\S+) points", " ".join(best["notes"])) if best else None
    made = fast, best, auto
    cells = [
        CORPORA[corpus][0],
        str(support),
        *(f1(found[quality]) for quality in QUALITIES),
        cost[1] if cost else "-",
        *(
            f"{one['cpu_seconds']:.0f} s" if one and "cpu_seconds" in one else "-"
            for one in (fast, best, auto)
        ),
        *(f"{one['bytes'] / 1e6:.0f} MB" if one else "-" for one in made),
        *(f"{one['served']:,}" if one else "-" for one in made),
    ]
    return f"| {' | '.join(cells)} |"


def runs_of(quality: str, corpus: str, out: Path) -> list[dict[str, Any]]:
    """Return the figures of the seeds that were run, from the first on."""
    made = []
    for seed in count(1):
        kept = kept_at(out, quality, corpus, seed)
        if not kept.exists() or not kept.stat().st_size:
            break
        made.append(json.loads(kept.read_text()))
    return made


def f1(runs: Sequence[dict[str, Any]]) -> str:
    values = [100 * (one["f1"] if "f1" in one else one["micro"]["f1"]) for one in runs]
    if not values:
        return "-"
    spread = f" ({min(values):.1f} to {max(values):.1f})" if len(values) > 1 else ""
    return f"{statistics.mean(values):.1f}{spread}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench custom", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder with the corpora")
    parser.add_argument("--out", type=Path, required=True, help="where models and figures are kept")
    parser.add_argument("--only", default="", help="QUALITY:CORPUS, separated by commas")
    parser.add_argument(
        "--base", default="en", help="encoder: en, multi or a folder; figures of each need a folder"
    )
    parser.add_argument("--seeds", type=int, default=1, help="how many runs of each")
    given = parser.parse_args()
    pairs = [tuple(pair.split(":")) for pair in given.only.split(",") if pair]
    for quality, corpus in pairs or [(quality, corpus) for corpus in CORPORA for quality in QUALITIES]:
        for seed in range(1, given.seeds + 1):
            run(quality, corpus, given.data, given.out, base=given.base, seed=seed)
    heads = ["corpus", "entities", *(f"F1 {quality}" for quality in QUALITIES), "8 bits cost"]
    heads += [f"{what} {quality}" for what in ("time", "size", "tokens/s") for quality in TRAINED]
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for corpus in CORPORA:
        print(row(corpus, given.out))


if __name__ == "__main__":
    main()
