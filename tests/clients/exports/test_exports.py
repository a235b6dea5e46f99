"""Exports of fourteen families in every usual form: taken with the same labels, or refused with a reason.

The tools are installed once, from `requirements.txt`, into an environment of their own.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from appliance.datasets.document import Label
from appliance.errors import ModelError
from appliance.ner.decoding import trim
from appliance.ner.model_folder import ModelFolder
from appliance.registry.add import add
from appliance.registry.families import TESTED
from appliance.registry.registry import ModelRegistry
from appliance.training.base.open_base import open_base
from appliance.training.evaluation.examine import answers
from tests.clients.exports.exporter import BASES, FAMILIES, FORMS
from tests.support.paths import ROOT

HERE = Path(__file__).parent
PAGE = (ROOT / "docs" / "custom-models.md").read_text(encoding="utf-8")
REQUIREMENTS = HERE / "requirements.txt"
ROUNDED = {"fp16": 0.85, "int8": 0.3}
"""Share of the sentences whose labels must be those of float32; of tiny random networks 8 bits flip many."""


HOME = Path(sys.prefix) / "export-tools"
"""The environment of the tools."""


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The exports of all families, made by the tools themselves."""
    home = HOME
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
    own = family / f"expected-{form}.json"  # of a form that is another model
    wanted = json.loads((own if own.exists() else family / "expected.json").read_text())
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


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("form", ["fp32", "encoder"])
@pytest.mark.parametrize("kind", BASES)
def test_a_training_starts_from_an_export_as_from_the_weights_that_it_was_made_of(
    kind: str, form: str, exports: Path, tmp_path: Path
) -> None:
    wanted = open_base(exports / kind / "source", tmp_path / "source").weights()
    found = open_base(exports / kind / form, tmp_path / form).weights()
    assert found.shape == wanted.shape
    assert found.arrays.keys() == wanted.arrays.keys()
    assert all(np.array_equal(found.arrays[name], array) for name, array in wanted.arrays.items())


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("quality", ["fast", "best"])
@pytest.mark.parametrize("kind", BASES)
def test_a_model_is_trained_from_an_export_and_answers(
    kind: str, quality: str, exports: Path, tmp_path: Path
) -> None:
    rows = []
    for number in range(40):
        person, place = ("Anna", "Böhm", "Zoë", "Ivanov")[number % 4], ("Paris", "München")[number % 2]
        text = f"{person} sold the ship in {place}, ok"
        start = text.index(place)
        labels = [[0, len(person), "Person"], [start, start + len(place), "Place"]]
        rows.append(json.dumps({"text": text, "entities": labels}))
    (tmp_path / "a.jsonl").write_text("\n".join(rows))
    # torch of the tools, for `best`; everything else is the installed one.
    (torch_here,) = HOME.glob("lib/python*/site-packages")
    script = "import sys; sys.path.append(sys.argv.pop(1)); from appliance.cli.main import main; main()"
    base, out = exports / kind / "encoder", tmp_path / "model"
    words = ["train", tmp_path / "a.jsonl", "--base", base, "--quality", quality, "--out", out]
    command = [sys.executable, "-c", script, torch_here, *words]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    folder = ModelFolder.open(out)
    assert folder.categories == ("Person", "Place")
    assert len(answers(folder, ["Anna sold the ship in Paris, ok"]).found) == 1
