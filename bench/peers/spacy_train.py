"""Run with spaCy: `FILE`, JSON with `learn`, `choose` and `test`; prints what it found in `test`.

As spaCy's quickstart has it: `spacy init config --pipeline ner --optimize efficiency`, then `spacy train`, on
one processor and without vectors, which have to be downloaded.
"""

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import spacy
from spacy.cli.init_config import init_config
from spacy.tokens import DocBin
from spacy.training.initialize import init_nlp
from spacy.training.loop import train


def packed(documents: list[dict[str, Any]], path: Path) -> Path:
    tokenizer = spacy.blank("en")
    kept = DocBin()
    for document in documents:
        made = tokenizer.make_doc(document["text"])
        spans = [made.char_span(*label, alignment_mode="expand") for label in document["labels"]]
        made.set_ents(spacy.util.filter_spans([span for span in spans if span is not None]))
        kept.add(made)
    kept.to_disk(path)
    return path


def main(file: str) -> None:
    given = json.loads(Path(file).read_text())
    began = time.process_time()
    with tempfile.TemporaryDirectory() as place:
        config = init_config(lang="en", pipeline=["ner"], optimize="efficiency", gpu=False)
        for name in ("learn", "choose"):
            packed(given[name], Path(place) / f"{name}.spacy")
        config["paths"] |= {"train": f"{place}/learn.spacy", "dev": f"{place}/choose.spacy"}
        config["training"]["seed"] = given["seed"]
        model = init_nlp(config)
        (Path(place) / "model").mkdir()
        train(model, Path(place) / "model", stdout=sys.stderr, stderr=sys.stderr)
        best = spacy.load(Path(place) / "model" / "model-best")
    seconds = time.process_time() - began
    found = [
        [[one.start_char, one.end_char, one.label_] for one in best(document["text"]).ents]
        for document in given["test"]
    ]
    sys.stdout.write(json.dumps({"found": found, "cpu_seconds": round(seconds, 1)}))


main(sys.argv[1])
