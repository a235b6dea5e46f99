"""Label files that nobody's tool wrote: read or refused, never a traceback, never beyond their bounds."""

import json
import random
import zlib
from pathlib import Path
from typing import Any

import msgpack
import pytest
from click.testing import CliRunner

from appliance.cli.main import main
from appliance.datasets.formats.format import ReadOptions, SourceFile
from appliance.datasets.formats.registry import BY_NAME
from appliance.datasets.formats.settling import settle
from appliance.datasets.label_errors import DatasetError, LabellingMistakes
from tests.fuzz.targets import TARGETS
from tests.unit.datasets.formats.samples import SAMPLES

ODD: list[Any] = [None, True, -1, 2**70, 1.5, 1e308, "", "x", [], {}, [[]], [None], {"start": {}}, "\ud800"]


def mangled(value: Any, chosen: random.Random) -> Any:
    """The value with one of its parts replaced by something odd."""
    if chosen.random() < 0.25 or not isinstance(value, dict | list) or not value:
        return chosen.choice(ODD)
    if isinstance(value, dict):
        key = chosen.choice(list(value))
        return {**value, key: mangled(value[key], chosen)}
    place = chosen.randrange(len(value))
    return [*value[:place], mangled(value[place], chosen), *value[place + 1 :]]


@pytest.mark.parametrize("name", SAMPLES)
def test_mangled_files_are_read_or_refused(name: str) -> None:
    data = SAMPLES[name][1]
    chosen = random.Random(name)  # noqa: S311
    for _ in range(25):
        cut = bytearray(data)
        for _ in range(chosen.randint(1, 4)):
            at = chosen.randrange(len(cut))
            cut[at : at + chosen.randint(0, 3)] = chosen.randbytes(chosen.randint(0, 3))
        TARGETS["labels"].run(bytes(cut))
    try:
        value = json.loads(data)
    except ValueError:
        return
    for _ in range(50):
        TARGETS["labels"].run(json.dumps(mangled(value, chosen)).encode())


@pytest.mark.parametrize("opened", ["[", '{"text":', '[{"a":', "[[" * 3])
def test_deep_nesting_is_refused(opened: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(opened * 200_000)
    words = ["dataset", "convert", str(tmp_path / "a.json"), "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 1, done.exception
    assert "error:" in done.output


def test_a_docbin_that_swells_or_lies_is_refused() -> None:
    made = BY_NAME["spacy"]
    bomb = zlib.compress(bytes(1 << 30), 9)
    with pytest.raises(DatasetError, match="unpacks to more than"):
        made.read(SourceFile("x.spacy", bomb), ReadOptions())
    whole = {
        "attrs": [65, 77, 78],
        "tokens": bytes(24),
        "spaces": b"\0",
        "strings": ["a"],
        "lengths": b"\xff" * 4,
    }
    lies: list[dict[str, Any]] = [
        whole,
        {**whole, "lengths": bytes(4)},
        {**whole, "attrs": []},
        {"attrs": [65, 77, 78]},
    ]
    for lie in lies:
        with pytest.raises(DatasetError):
            made.read(SourceFile("x.spacy", zlib.compress(msgpack.packb(lie))), ReadOptions())
    for damaged in (b"\x78", b"\x78\x9c", zlib.compress(b"\xc1"), zlib.compress(b"\xdd\xff\xff\xff\xff")):
        with pytest.raises(DatasetError):
            made.read(SourceFile("x.spacy", damaged), ReadOptions())


def test_offsets_far_outside_ask_for_no_memory() -> None:
    row = "#FORMAT=WebAnno TSV 3.3\n#T_SP=webanno.custom.X|value\n\n\n#Text=a\n1-1\t{0}-{1}\ta\tB\t\n"
    with pytest.raises(DatasetError):
        BY_NAME["webanno"].read(SourceFile("x", row.format(9 * 10**9, 9 * 10**9 + 1).encode()), ReadOptions())
    line = b'{"text": "a", "entities": [[0, 99999999999999999999, "X"]]}'
    contents = BY_NAME["jsonl"].read(SourceFile("x", line), ReadOptions())
    with pytest.raises((DatasetError, LabellingMistakes)):
        _, mistakes, _ = settle(contents, "x", "JSONL", ReadOptions())
        raise LabellingMistakes(mistakes)


def test_a_text_beside_a_file_is_never_looked_for_outside_of_its_folder(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("Anna")
    (tmp_path / "in").mkdir()
    for location in ("../secret.txt", "/etc/hostname", "a\0b", ".", ""):
        entry = {"location": location, "labels": [{"category": "P", "offset": 0, "length": 4}]}
        project = {"metadata": {}, "assets": {"entities": [{"category": "P"}], "documents": [entry]}}
        (tmp_path / "in" / "p.json").write_text(json.dumps(project))
        for source in (tmp_path / "in" / "p.json", tmp_path / "in"):
            done = CliRunner().invoke(
                main, ["dataset", "convert", str(source), "--out", str(tmp_path / "out")]
            )
            assert done.exit_code == 1, (location, done.output, done.exception)


@pytest.mark.parametrize(
    "inside",
    [
        "<a>" * 300_000,
        "<a " + " ".join(f'n{number}="x"' for number in range(50_000)) + "/>",
        '<t:NamedEntity xmlns:t="http:///x.ecore" sofa="1" begin="0" end="' + "9" * 100_000 + '"/>',
    ],
)
def test_xml_of_strangers_is_read_or_refused(inside: str, tmp_path: Path) -> None:
    head, _, _ = SAMPLES["cas xmi"][1].decode().partition("<cas:NULL")
    TARGETS["labels"].run(f"{head}{inside}</xmi:XMI>".encode())


def test_entities_of_xml_are_never_expanded_nor_fetched(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("SECRET")
    data = SAMPLES["cas xmi"][1].decode()
    levels = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
    for declared, used in (
        (f'<!ENTITY l0 "lol">{levels}', "&l11;"),
        (f'<!ENTITY x SYSTEM "file://{tmp_path}/secret">', "&x;"),
    ):
        before, after = data.split("?>", 1)
        hostile = f"{before}?><!DOCTYPE x [{declared}]>{after}".replace("joined", used)
        with pytest.raises(DatasetError, match="document type") as caught:
            BY_NAME["cas-xmi"].read(SourceFile("a.xmi", hostile.encode()), ReadOptions())
        assert "SECRET" not in str(caught.value)
