"""The environment file of the unit, as systemd reads it: by a table of cases, and against its own parser."""

import ctypes
import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.config.env_file import load_env_file, parse_env_file, read_env_file
from appliance.errors import SettingsError

HERE = Path("x.env")

CASES: dict[str, tuple[str | bytes, dict[str, str]]] = {
    "comments and quotes": (
        "# settings\nA=1\nB=\"two words\"\nC='3'\nD = 4\n\n;E=5\nno assignment\nF=it's\n",
        {"A": "1", "B": "two words", "C": "3", "D": "4", "F": "it's"},
    ),
    "lines that go on": (
        "b=b\\\nc\nd= d\\\ne  \\\nf  \ng=g\\ \ni=i\\",
        {"b": "bc", "d": "de  f", "g": "g ", "i": "i"},
    ),
    "a comment goes on": ("#a=1 \\\n#b=2 \\\nc=3\nd=4", {"d": "4"}),
    "empty values": ("a=\nb=", {"a": "", "b": ""}),
    "pieces": ('a="b"\'c\'d "e" \n', {"a": 'bcd "e"'}),
    "escapes in quotes": ('a="\\" \\\\ \\$ \\` \\n x\\\ny"\n', {"a": '" \\ $ ` \\n xy'}),
    "nothing is escaped in single quotes": ("a='\\\\ \\\n\"'\n", {"a": '\\\\ \\\n"'}),
    "a value over lines": ("a=\"1\n2\"\nb='3\n4'", {"a": "1\n2", "b": "3\n4"}),
    "the last one counts": ("a=1\na=2\n", {"a": "2"}),
    "no name of a variable": ("Mounts:License=/x\n1a=b\nexport c=d\ne=f\n", {"e": "f"}),
    "a control character": ("a=\x1b[0m\nb=\t1\n", {"a": "\x1b[0m", "b": "1"}),
    "lines of Windows": ("a=1\r\nb=2\r\n", {"a": "1", "b": "2"}),
    "text": ("a=ąęół\\\u00a0 \n", {"a": "ąęół\u00a0"}),
    "not UTF-8 in a comment": (b"# caf\xe9\na=1\n", {"a": "1"}),
}


def encoded(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode()


@pytest.mark.parametrize("case", CASES)
def test_the_cases_of_the_manual_and_of_systemds_own_tests_are_read_as_systemd_does(case: str) -> None:
    text, values = CASES[case]
    assert parse_env_file(encoded(text), HERE).values == values


def test_a_file_that_is_missing_says_nothing(tmp_path: Path) -> None:
    assert read_env_file(tmp_path / "none") == {}


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=re.escape(str(tmp_path))) as caught:
        read_env_file(tmp_path)
    assert "sudo" in caught.value.hint


@pytest.mark.parametrize("line", [b"A=caf\xe9", b"A\xe9=1", b"A=\0"])
def test_a_line_that_systemd_cannot_take_is_named_with_its_number(tmp_path: Path, line: bytes) -> None:
    file = tmp_path / "appliance.env"
    file.write_bytes(b"# settings\nEula=accept\n" + line + b"\nB=2\n")
    with pytest.raises(SettingsError, match=f"{file}, line 3: ") as caught:
        read_env_file(file)
    assert "sed -n 3p" in caught.value.hint


def test_what_systemd_ignores_is_told_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "appliance.env"
    file.write_text("Mounts:License=/x\nEula accept\n# C:\\\nA=1\n")
    lines = load_env_file(file).ignored
    assert [line.partition(":")[0] for line in lines] == ["line 1", "line 2", "line 3"]


class Systemd:
    """The parser of the installed systemd, in its shared library."""

    def __init__(self, library: Path) -> None:
        self._library = ctypes.CDLL(str(library))
        self._free = ctypes.CDLL(None).free
        self._free.argtypes = [ctypes.c_void_p]
        self._library.strv_env_clean_with_callback.restype = ctypes.POINTER(ctypes.c_char_p)
        self._library.log_set_max_level(0)

    def read(self, path: Path) -> dict[str, str] | None:
        """Return what a unit would get of a file; None if it is refused."""
        pairs = ctypes.POINTER(ctypes.c_char_p)()
        if self._library.load_env_file(None, str(path).encode(), ctypes.byref(pairs)) < 0:
            return None
        self._library.strv_env_clean_with_callback(pairs, None, None)
        values = {}
        for number in itertools.count():
            pair = pairs[number] if pairs else None
            if pair is None:
                break
            key, _, value = pair.decode().partition("=")
            values[key] = value
        return values


@pytest.fixture(scope="module")
def systemd() -> Iterator[Systemd]:
    libraries = sorted(Path("/usr/lib").glob("**/systemd/libsystemd-shared-25[0-3]*.so"))
    if not libraries:
        pytest.skip("needs systemd 250 to 253 (Debian 12: package libsystemd-shared)")
    yield Systemd(libraries[0])


PIECES = st.sampled_from(
    [*"aB1_= \t\n\r#;'\"\\$`é:", "\\\n", "A=", "\nB=", "='", '="', "\x1b", "\u00a0", "=\\", "# ", "\n;"]
)


@pytest.mark.parametrize("case", CASES)
def test_the_cases_are_those_of_the_installed_systemd(case: str, systemd: Systemd, tmp_path: Path) -> None:
    text, values = CASES[case]
    (tmp_path / "x").write_bytes(encoded(text))
    assert systemd.read(tmp_path / "x") == values


@settings(max_examples=500)
@given(st.lists(st.one_of(PIECES.map(str.encode), st.just(b"\xe9"), st.just(b"\0")), max_size=40))
def test_any_file_reads_as_the_installed_systemd_reads_it(
    systemd: Systemd, tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes]
) -> None:
    file = tmp_path_factory.getbasetemp() / "any.env"
    file.write_bytes(b"".join(pieces))
    try:
        ours = read_env_file(file)
    except SettingsError:
        assert systemd.read(file) is None
    else:
        assert systemd.read(file) == ours
