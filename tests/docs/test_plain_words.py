"""Words that readers stumbled over stay away from messages, help, docstrings and documents."""

import re

import pytest

from tests.support.paths import ROOT

PLACES = [
    *(
        ROOT / name
        for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "Makefile", "systemd/README.md")
    ),
    *sorted((ROOT / "docs").rglob("*.md")),
    *(path for room in ("appliance", "license", "packaging") for path in sorted((ROOT / room).rglob("*.py"))),
]
INSTEAD = {
    r"(?<![Tt]here )\b(is|are) no (JSON|model folder|address|export|setting|lease)\b": "is not …",
    r"\bmend(s|ed|ing)?\b": "correct, fix",
    r"\blikewise\b": "what it is, again",
    r"\belsewhen\b|\bnever was\b": "when",
    r"\bhostage\b": "these work without a valid licence",
    r"\bin vain\b": "a false positive",
    r"\bword from the endpoint\b|\bsince there was word\b": "a successful report",
    r"\bperson's word\b": "the operator's confirmation",
    r"\bat the door\b": "load shedding",
    r"\bcut the cable\b|\bcable is cut\b": "disconnect",
    r"\bno dictation\b(?! model)": "what it recognises",
    r"\banswers no request\b": "requests are refused",
    r"\bmoves nearer\b": "is brought forward",
    r"\bchain of promises\b": "what a kept head proves",
    r"\bthe one before (is )?back\b": "rolls back to the previous version",
}


@pytest.mark.parametrize("pattern", INSTEAD)
def test_a_word_that_readers_stumbled_over_is_not_used(pattern: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}: {match[0]} (say: {INSTEAD[pattern]})"
        for path in PLACES
        for match in re.finditer(pattern, path.read_text("utf-8"))
    ]
    assert found == []
