"""The table of label formats in docs/custom-models.md is the registry's, with the versions of the locks."""

import re

from appliance.datasets.formats.format import Format
from appliance.datasets.formats.registry import FORMATS
from appliance.datasets.label_errors import KINDS
from tests.support.paths import ROOT
from tests.unit.datasets.formats.samples import FOLDERS, SAMPLES

PAGE = (ROOT / "docs" / "custom-models.md").read_text("utf-8")
TOOLS = ROOT / "tests" / "clients" / "labels" / "tools"
TOOL_OF = {
    "label-studio": "label-studio-sdk",
    "spacy-json": "spacy",
    "spacy": "spacy",
    "hugging-face": "datasets",
    "conllu": "conllu",
    "conll": "label-studio-sdk",
    "doccano": "doccano",
    "webanno": "web-anno-tsv",
    "cas-xmi": "dkpro-cassis",
}
"""Which tool of tests/clients/labels wrote or read files of a format."""


def tried_with(made: Format) -> str:
    if made.name in TOOL_OF:
        lock = (TOOLS / f"{TOOL_OF[made.name]}.txt").read_text()
        pinned = re.search(rf"^{TOOL_OF[made.name]}==(\S+)", lock, re.MULTILINE)
        assert pinned
        return f"{TOOL_OF[made.name]} {pinned[1]}"
    return "samples"


def row(made: Format) -> str:
    written = "yes" if made.write else "-"
    text = "exact" if made.exact else "words"
    return f"| `{made.name}` | {made.title}: {made.note} | yes | {written} | {text} | {tried_with(made)} |"


def test_the_table_is_the_registrys() -> None:
    table = PAGE.partition("| `--from`, `--to` |")[2].partition("\n\n")[0]
    assert table.split("\n")[2:] == [row(made) for made in FORMATS]


def test_a_format_without_a_tool_has_samples() -> None:
    sampled = {made for made, _ in SAMPLES.values()} | {name.split()[0] for name in FOLDERS}
    lacking = {made.name for made in FORMATS} - set(TOOL_OF) - sampled
    assert lacking == {"conll-bioes", "conll-bilou", "project"}, "told as conll; sampled as azure"


def test_each_kind_that_may_be_left_out_has_its_option_in_the_page() -> None:
    assert {kind for kind in KINDS if f"`--drop-{kind}`" in PAGE} == set(KINDS)
