"""The environment file of the unit, as systemd reads it."""

from pathlib import Path

from appliance.config.env_file import read_env_file


def test_assignments_are_read_and_comments_and_quotes_are_not(tmp_path: Path) -> None:
    file = tmp_path / "appliance.env"
    file.write_text("# settings\nA=1\nB=\"two words\"\nC='3'\nD = 4\n\n;E=5\nno assignment\nF=it's\n")
    assert read_env_file(file) == {"A": "1", "B": "two words", "C": "3", "D": "4", "F": "it's"}


def test_a_file_that_cannot_be_read_says_nothing(tmp_path: Path) -> None:
    assert read_env_file(tmp_path / "none") == {}
    assert read_env_file(tmp_path) == {}


def test_a_byte_that_is_no_text_costs_no_other_setting(tmp_path: Path) -> None:
    file = tmp_path / "appliance.env"
    file.write_bytes(b"A=\xff\nB=2\n")
    assert read_env_file(file)["B"] == "2"
