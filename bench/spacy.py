"""spaCy beside `appliance train`: what its quickstart trains on the same documents.

    python -m bench spacy PROJECT.json --documents DIR [--seed 1] [--json]

The split is the one `appliance train` makes. Those of the training documents that `--quality auto` holds back
choose spaCy's best step. F1 is counted by the same code.
"""

import json
import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from appliance.datasets.document import Label, LabelledDocument
from appliance.datasets.project import read_project
from appliance.datasets.split import split
from appliance.training.choice import hold_back
from appliance.training.evaluation.scoring import score
from bench.compared import parser_of, tell
from bench.environments import HERE, environment

REQUIREMENTS: Final = Path(__file__).parents[1] / "tests/clients/labels/tools/spacy.txt"


def as_objects(documents: Sequence[LabelledDocument]) -> list[dict[str, Any]]:
    return [
        {"text": one.text, "labels": [[label.start, label.end, label.category] for label in one.labels]}
        for one in documents
    ]


def trained(learn: Sequence[LabelledDocument], test: Sequence[LabelledDocument], seed: int) -> dict[str, Any]:
    """Return what spaCy found in each document of the test, and the processor seconds of its training."""
    learnt, held = hold_back(learn)
    parts = {"learn": learnt, "choose": held or learnt, "test": test}
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump({"seed": seed, **{name: as_objects(part) for name, part in parts.items()}}, file)
        file.flush()
        command = [str(environment("spacy", REQUIREMENTS)), str(HERE / "spacy_train.py"), file.name]
        environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        told = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environ).stdout
    found: dict[str, Any] = json.loads(told)
    return found


def main() -> None:
    given = parser_of("spacy", __doc__).parse_args()
    parts = split(read_project(given.project, given.documents).documents)
    made = trained(parts.train, parts.test, given.seed)
    found = [[Label(*label) for label in labels] for labels in made["found"]]
    micro = score(zip((document.labels for document in parts.test), found, strict=True)).micro
    tell("spaCy", micro, parts.how, made["cpu_seconds"], as_json=given.json)


if __name__ == "__main__":
    main()
