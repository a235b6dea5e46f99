"""Exports of fourteen families in every usual form: taken with the same labels, or refused with a reason.

The tools are installed once, from `requirements.txt`, into an environment of their own.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from appliance.datasets.document import Label
from appliance.errors import ModelError
from appliance.ner.decoding import trim
from appliance.ner.model_folder import ModelFolder
from appliance.registry.add import add
from appliance.registry.families import TESTED
from appliance.registry.registry import ModelRegistry
from appliance.training.evaluation.examine import answers
from tests.clients.exports.exporter import FAMILIES, FORMS
from tests.support.paths import ROOT

HERE = Path(__file__).parent
PAGE = (ROOT / "docs" / "custom-models.md").read_text(encoding="utf-8")
REQUIREMENTS = HERE / "requirements.txt"
ROUNDED = {"fp16": 0.9, "int8": 0.3}
"""Share of the sentences whose labels must be those of float32; of tiny random networks 8 bits flip many."""


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The exports of all families, made by the tools themselves."""
    home = Path(sys.prefix) / "export-tools"
    mark = home / ".installed"
    if not mark.exists() or mark.read_bytes() != REQUIREMENTS.read_bytes():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], check=True)
        pip = [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", "-r", str(REQUIREMENTS)]
        done = subprocess.run(pip, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"the tools cannot be installed here: {done.stderr.strip().splitlines()[-1][:200]}")
        mark.write_bytes(REQUIREMENTS.read_bytes())
    folder = tmp_path_factory.mktemp("exports")
    environ = os.environ | {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    command = [str(home / "bin" / "python"), str(HERE / "exporter.py"), str(folder)]
    subprocess.run(command, check=True, capture_output=True, env=environ)
    return folder


def outcome(family: Path, form: str, models: Path) -> str:
    """What the table says of an export: `yes`, `refused: …`, or `not made` where the tools cannot."""
    if form in json.loads((family / "failed.json").read_text()):
        return "not made"
    try:
        added = add(family / form, ModelRegistry(models), project=family.name, name=form.replace(" ", "-"))
    except ModelError as error:
        assert error.hint, error.message
        return "refused"
    wanted = json.loads((family / "expected.json").read_text())
    found = answers(ModelFolder.open(added.entry.path), [text for text, _ in wanted]).found
    same = sum(
        trimmed(text, labels) == list(got) for (text, labels), got in zip(wanted, found, strict=True)
    ) / len(wanted)
    assert len({label.category for labels in found for label in labels}) > 2
    assert same >= ROUNDED.get(form, 1.0), (family.name, form, same)
    return "yes"


def trimmed(text: str, labels: list[tuple[int, int, str]]) -> list[Label]:
    spans = [(*trim(text, start, end), category) for start, end, category in labels]
    return [Label(*span) for span in spans if span[0] < span[1]]


def rows() -> dict[str, list[str]]:
    """The table of the page, by family."""
    section = PAGE.partition("\n| family | fp32 |")[2].partition("\n\n")[0]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines()[2:]]
    return {row[0]: row[1:] for row in cells}


def test_the_table_names_the_families_and_forms_that_are_tried() -> None:
    assert f"\n| family | {' | '.join(FORMS)} |\n" in PAGE
    assert list(rows()) == sorted(FAMILIES) == sorted(TESTED)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_each_export_is_taken_with_the_labels_of_transformers_or_refused(
    exports: Path, tmp_path: Path
) -> None:
    measured = {
        kind: [outcome(exports / kind, form, tmp_path / "models") for form in FORMS]
        for kind in sorted(FAMILIES)
    }
    assert measured == rows()
