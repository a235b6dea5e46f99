"""What a hint says to somebody at a terminal, and to somebody who has a browser alone."""

import pytest

from appliance.datasets.formats.format import SourceFile
from appliance.datasets.formats.unsupported import KNOWN, refusal
from appliance.datasets.label_errors import DatasetError, Mistake


@pytest.mark.parametrize(
    ("hint", "step"),
    [
        ("save it as UTF-8; at a terminal: iconv -f WINDOWS-1252 FILE > NEW", "save it as UTF-8"),
        ("write it as JSON Lines; in Python: f(x); g(y)", "write it as JSON Lines"),
        ("export it again, or leave out --from", "export it again"),
        ("say --labels O,B-PER,I-PER, in their order", ""),
        ("cut it into several files; keep their order", "cut it into several files; keep their order"),
        ("", ""),
    ],
)
def test_the_next_step_in_a_browser_names_no_command(hint: str, step: str) -> None:
    assert DatasetError("It is wrong.", hint=hint).step == step


def test_a_mistake_leaves_its_command_out_too() -> None:
    wrong = Mistake(document="a", line=2, reason="it is late", remedy="move it, or say --later")
    assert wrong.without_commands == "a, line 2: it is late; move it"
    alone = Mistake(document="a", line=0, reason="it is late", remedy="name all with --labels")
    assert alone.without_commands == "a: it is late"


@pytest.mark.parametrize("data", [b"\x1f\x8b\x08", b"SQLite format 3\0", b"PAR1", bytes(257) + b"ustar"])
def test_a_format_that_is_not_read_has_a_step_for_either(data: bytes) -> None:
    refused = refusal(SourceFile("labels", data))
    assert refused is not None
    assert 0 < len(refused.step) < len(refused.hint)
    assert all(word not in refused.step for word in ("gunzip", "tar ", "datasets.", "prodigy"))
    assert len(KNOWN) > 8
