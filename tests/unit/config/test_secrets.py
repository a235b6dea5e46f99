from pathlib import Path

import pytest

from appliance.config.access import read_key_file
from appliance.config.secrets import shown_address, shown_in_process_list, without_userinfo
from appliance.errors import SettingsError


def test_name_and_password_are_cut_out_of_every_address_of_a_text() -> None:
    text = "at https://user:p@ss@a.example/x and postgresql+psycopg://u@b/c, not at me@c.example"
    assert (
        without_userinfo(text)
        == "at https://…@a.example/x and postgresql+psycopg://…@b/c, not at me@c.example"
    )
    assert without_userinfo("https://a.example/x?mail=me@b") == "https://a.example/x?mail=me@b"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("https://user:p@ss@host/x", "https://…@host/x"),
        ("user:pass@host:3128", "…@host:3128"),
        ("https://host", "https://host"),
        ("", ""),
    ],
)
def test_an_address_is_shown_without_them(value: str, shown: str) -> None:
    assert shown_address(value) == shown


def test_secrets_of_a_command_line_are_named() -> None:
    args = [
        "ApiKeys:one=x",
        "--ApiKey",
        "y",
        "Billing=http://a:b@c",
        "ApiKeys:File=/k",
        "Http:Port=1",
        "ApiKey=",
    ]
    assert shown_in_process_list(args) == ("ApiKeys:one", "ApiKey", "Billing")


def test_a_key_file_has_a_key_a_line(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text("# one\n  first \n\nsecond\r\n")
    assert read_key_file(path) == ("first", "second")
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match="is not text"):
        read_key_file(path)
    path.write_bytes(b"x" * 70_000)
    with pytest.raises(SettingsError, match="ApiKeys:File"):
        read_key_file(path)
