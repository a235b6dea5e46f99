import ast
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from license.files import access_hint, is_shared
from tests.support.paths import ROOT

AS_NOBODY = "import os, sys; os.setgid(65534); os.setuid(65534); "
COMMAND = re.compile(r"""["'{ :]((?:sudo )?(?:chown|chmod|rm|mv|install|setfacl)\b[^"']*)""")


@pytest.mark.parametrize(
    "path",
    ["/", "/license", "/etc", "/usr/share", "/var/lib", "/home/ada", "/var", "/usr/share/doc", "/sys/fs/x"],
)
def test_what_others_share_is_never_to_be_changed(path: str) -> None:
    assert is_shared(Path(path))
    hint = access_hint(Path(path), directory=True)
    assert "chown" not in hint
    assert "chmod" not in hint


def test_a_missing_directory_is_to_be_made_and_nothing_above_it_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "data" / "license"
    hint = access_hint(missing, directory=True)
    assert hint == f"make it: sudo install -d -m 0750 -o {os.geteuid()} -g {os.getegid()} {missing}"


def test_a_file_in_the_place_of_a_directory_is_named_and_keeps_its_owner(tmp_path: Path) -> None:
    file = tmp_path / "license.note"
    file.touch()
    hint = access_hint(file, directory=True)
    assert hint == f"{file} is not a directory: name the directory that is meant"


def test_a_missing_file_is_to_be_looked_for(tmp_path: Path) -> None:
    assert (
        access_hint(tmp_path / "a b.note", directory=False)
        == f"there is no {tmp_path}/a b.note; check the path"
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become another user")
@pytest.mark.parametrize("depth", [0, 1])
def test_another_user_is_told_of_the_path_that_was_given(depth: int) -> None:
    place = Path(tempfile.mkdtemp(dir="/srv"))
    given = place / "inside" if depth else place
    given.mkdir(exist_ok=True)
    try:
        place.chmod(0o700)
        code = "from license.files import access_hint; from pathlib import Path; " + AS_NOBODY
        code += f"print(access_hint(Path({str(given)!r}), directory=True))"
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
        )
    finally:
        for one in (given, place):
            one.rmdir() if one.exists() else None
    if depth:
        assert done.stdout.endswith(f"sudo namei -l {given}\n")
    else:
        assert done.stdout.endswith(f"this process is 65534:65534: sudo chown 65534:65534 {given}\n")


def test_no_hint_in_the_program_proposes_a_recursive_change_or_a_removal() -> None:
    found = []
    for folder in ("appliance", "license"):
        for path in (ROOT / folder).rglob("*.py"):
            for command in COMMAND.findall(path.read_text(encoding="utf-8")):
                if re.search(r"\s-\w*[Rr]\w*\s|--recursive|^(sudo )?rm\b.*-", command):
                    found.append(f"{path.relative_to(ROOT)}: {command}")
    assert found == []


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become another user")
def test_a_user_without_a_home_is_told_too() -> None:
    given = Path(tempfile.mkdtemp(dir="/srv"))
    given.chmod(0o755)
    code = (
        "from license.files import access_hint; from pathlib import Path; import os; "
        "os.environ.pop('HOME', None); os.setgid(54321); os.setuid(54321); "
        f"print(access_hint(Path({str(given)!r}), directory=True))"
    )
    try:
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
        )
    finally:
        given.rmdir()
    assert done.stdout.endswith(f"this process is 54321:54321: sudo chown 54321:54321 {given}\n")


def test_the_home_of_a_services_user_is_its_own() -> None:
    assert not is_shared(Path("/var/lib/appliance"))


TYPED = re.compile(
    r"\b(?:sudo|chown|chmod|install -d|rm|cp|mv|namei|appliance [a-z]+|license [a-z]+) [^`;,\n]*$"
)
PLACES = re.compile(r"\b(?:path|file|directory|folder|filename|out|home|target|place|\w+_mount)\b")


def test_a_path_in_a_command_that_is_printed_is_quoted_for_the_shell() -> None:
    """A folder may be called `My models`: what we print must work when it is pasted."""
    bare = []
    for file in (*(ROOT / "appliance").rglob("*.py"), *(ROOT / "license").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_bytes())):
            if not isinstance(node, ast.JoinedStr):
                continue
            before = ""
            for part in node.values:
                if isinstance(part, ast.Constant):
                    before += str(part.value)
                elif isinstance(part, ast.FormattedValue):
                    value = ast.unparse(part.value)
                    if TYPED.search(before) and PLACES.search(value) and "quote" not in value:
                        bare.append(f"{file.name}:{node.lineno}: {before}{{{value}}}")
                    before += "X"
    assert bare == []
