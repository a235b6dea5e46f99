from pathlib import Path

import pytest

from appliance.host.main_process import served_words, words_beside

PROGRAM = "/opt/appliance/venv/bin/appliance"


def proc(place: Path, *lines: list[str]) -> Path:
    for number, words in enumerate(lines, start=1):
        (place / str(number)).mkdir()
        (place / str(number) / "cmdline").write_bytes("".join(f"{word}\0" for word in words).encode())
    return place


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([["/usr/bin/python3", PROGRAM, "Eula=accept", "Http:Port=5001"]], ("Eula=accept", "Http:Port=5001")),
        ([["python3", PROGRAM, "serve", "--roots", "/r", "Eula=accept"]], ("Eula=accept",)),
        ([["python3", PROGRAM, "serve", "--roots=/r", "--Http:Port", "1"]], ("--Http:Port", "1")),
        ([["/sbin/init", "--", "appliance", "eula=accept"], ["python3", PROGRAM, "x=1"]], ("eula=accept",)),
        ([["sleep", "9"], ["python3", PROGRAM, "doctor"], ["python3", PROGRAM, "a=b"]], ("a=b",)),
        ([["sleep", "9"]], ()),
        ([], ()),
    ],
)
def test_the_words_of_the_service_are_those_of_the_first_process_that_serves(
    tmp_path: Path, lines: list[list[str]], words: tuple[str, ...]
) -> None:
    assert served_words(proc(tmp_path, *lines)) == words


def test_outside_of_an_image_no_other_process_is_looked_at() -> None:
    assert words_beside({}) == ()
