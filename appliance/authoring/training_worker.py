"""One training in a process of its own.

    python -m appliance.authoring.training_worker

The specification is one line of JSON on standard input; on standard output come lines of JSON: {"share",
"step"} while it goes on, then {"done"} or {"error"}. It is nice, so that the service beside it stays quick.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

from appliance.authoring.training_process import RESULTS
from appliance.datasets.document import LabelledDocument, utf16_length
from appliance.datasets.label_errors import DatasetError, LabellingMistakes
from appliance.datasets.project import with_texts
from appliance.datasets.project_file import parse_project
from appliance.datasets.split import split
from appliance.errors import ApplianceError
from appliance.training.train import Options, Trained, train
from license.errors import NoRoom

_NICE = 10


def _say(value: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def _run(specification: dict[str, Any]) -> dict[str, Any]:
    project = parse_project(json.dumps(specification["project"]).encode(), "the project")
    documents = Path(specification["documents"])
    if not documents.is_dir():
        raise DatasetError(
            f"the project has no text: there is no folder {documents.name} for its documents",
            hint="add texts, or have its operator look at Authoring:Documents",
        )
    labelled = with_texts(project, documents)
    parts = split(
        labelled.documents, test_share=specification["test_share"], by_file=specification["by_file"]
    )
    out = Path(specification["out"])
    trained = train(
        labelled,
        parts,
        out,
        Options(quality=specification["quality"], release=specification["release"]),
        told=lambda step, share: _say({"step": step, "share": share}),
    )
    results = [
        _result(document, labels, labelled.language)
        for document, labels in zip(trained.examined, trained.answers.found, strict=True)
    ]
    (out / RESULTS).write_text(json.dumps(results), encoding="utf-8")
    (out / RESULTS).chmod(0o600)
    return _done(trained)


def _done(trained: Trained) -> dict[str, Any]:
    return {
        "seconds": trained.seconds,
        "notes": list(trained.notes),
        "languages": list(trained.folder.made_for),
    }


def _result(document: LabelledDocument, predicted: Any, language: str) -> dict[str, Any]:
    """Return what was labelled and what was found in a test document, in UTF-16 code units."""

    def units(labels: Any) -> list[dict[str, Any]]:
        return [
            {
                "category": label.category,
                "offset": utf16_length(document.text[: label.start]),
                "length": utf16_length(document.text[label.start : label.end]),
            }
            for label in labels
        ]

    return {
        "location": document.name,
        "language": document.language or language or "en",
        "expectedEntities": units(document.labels),
        "predictedEntities": units(predicted),
        "regionOffset": 0,
        "regionLength": utf16_length(document.text),
    }


def main() -> int:
    """Train what standard input asks for."""
    os.nice(_NICE)
    specification: dict[str, Any] = json.loads(sys.stdin.buffer.readline())
    try:
        _say({"done": _run(specification)})
    except LabellingMistakes as error:
        _say({"error": error.code, "messages": [one.without_commands for one in error.mistakes]})
    except (ApplianceError, NoRoom) as error:
        step = error.step if isinstance(error, DatasetError) else error.hint
        _say({"error": error.code, "messages": [f"{error.message} ({step})" if step else error.message]})
    return 0


if __name__ == "__main__":
    sys.exit(main())
