import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from license.crypto.ed25519 import SigningKey
from license.errors import UntrustedRoots
from license.trust.roots import PACKAGE_ROOTS, TrustRoots, installed_roots, load_roots

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to make files of root's and of others'")


def write_root(directory: Path, name: str = "root", *, mode: int = 0o644) -> SigningKey:
    directory.mkdir(parents=True, exist_ok=True)
    key = SigningKey.generate(f"license.example.com/{name}")
    path = directory / f"{name}.vkey"
    path.write_text(f"{key.verifying.vkey}\n")
    path.chmod(mode)
    return key


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that everybody can reach, as /etc is."""
    with tempfile.TemporaryDirectory() as path:
        Path(path).chmod(0o755)
        yield Path(path)


def test_all_keys_of_a_directory_are_roots_in_the_order_of_their_files(tmp_path: Path) -> None:
    spare, root = write_root(tmp_path, "b-spare"), write_root(tmp_path, "a-root")
    (tmp_path / "README.md").write_text("not a key")
    roots = load_roots(tmp_path)
    assert tuple(roots) == (root.verifying, spare.verifying)
    assert roots.source_of(root.verifying) == tmp_path / "a-root.vkey"


def test_a_key_that_lies_there_twice_counts_once(tmp_path: Path) -> None:
    key = write_root(tmp_path)
    (tmp_path / "z.vkey").write_bytes((tmp_path / "root.vkey").read_bytes())
    roots = load_roots(tmp_path)
    assert roots.keys == (key.verifying,)
    assert roots.source_of(key.verifying).name == "root.vkey"


def test_keys_survive_windows(tmp_path: Path) -> None:
    key = write_root(tmp_path)
    (tmp_path / "root.vkey").write_bytes(b"\xef\xbb\xbf" + key.verifying.vkey.encode() + b"\r\n")
    assert load_roots(tmp_path).keys == (key.verifying,)


def test_one_file_is_a_root_whatever_it_is_called_and_its_neighbours_are_not(tmp_path: Path) -> None:
    key = write_root(tmp_path)
    write_root(tmp_path, "other")
    named = (tmp_path / "root.vkey").rename(tmp_path / "vendor.txt")
    assert load_roots(named).keys == (key.verifying,)


def test_no_directory_or_no_key_is_no_root(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(UntrustedRoots, match="no root key") as caught:
            load_roots(path)
        assert "--roots" in caught.value.hint
    with pytest.raises(UntrustedRoots):
        TrustRoots(keys=(), sources=())


@pytest.mark.parametrize("content", ["", "hello", "a+b+c", "two\nlines\n"])
def test_one_unusable_key_refuses_all(tmp_path: Path, content: str) -> None:
    write_root(tmp_path)
    (tmp_path / "z.vkey").write_text(content)
    with pytest.raises(UntrustedRoots, match=r"z\.vkey"):
        load_roots(tmp_path)


def test_a_private_key_among_the_roots_is_called_one(tmp_path: Path) -> None:
    (tmp_path / "root.vkey").write_text(SigningKey.generate("k").to_text())
    with pytest.raises(UntrustedRoots, match="private key"):
        load_roots(tmp_path)


def test_this_repository_ships_no_root() -> None:
    assert list(PACKAGE_ROOTS.glob("*.vkey")) == []
    assert (PACKAGE_ROOTS / "README.md").exists()


def test_without_any_root_the_hint_says_where_to_put_one(tmp_path: Path) -> None:
    with pytest.raises(UntrustedRoots, match="no trust root is installed") as caught:
        installed_roots(packaged=tmp_path / "a", system=tmp_path / "b")
    assert "/etc/appliance/roots.d/" in caught.value.hint


@as_root
def test_roots_of_package_and_system_are_taken_together(place: Path) -> None:
    packaged, system = write_root(place / "package/roots"), write_root(place / "roots.d", "site")
    roots = installed_roots(packaged=place / "package/roots", system=place / "roots.d")
    assert roots.keys == (packaged.verifying, system.verifying)


@as_root
@pytest.mark.parametrize("weak", ["roots.d/root.vkey", "roots.d", "."])
@pytest.mark.parametrize("how", ["mode", "owner"])
def test_a_root_that_others_could_change_is_refused(place: Path, weak: str, how: str) -> None:
    write_root(place / "roots.d")
    target = place / weak
    if how == "mode":
        target.chmod(target.stat().st_mode | 0o020)
    else:
        os.chown(target, 65534, -1)
    with pytest.raises(UntrustedRoots, match="could change") as caught:
        installed_roots(packaged=place / "none", system=place / "roots.d")
    root = place / "roots.d/root.vkey"
    assert (
        caught.value.hint
        == {
            "roots.d/root.vkey": f"sudo chown root:root {root} && sudo chmod 0644 {root}",
            "roots.d": f"sudo chown root:root {root.parent} && sudo chmod 0755 {root.parent}",
            ".": "put it where only root can change it: "
            f"sudo install -D -m 0644 {root} /etc/appliance/roots.d/root.vkey",
        }[weak]
    )


@as_root
def test_a_link_is_judged_by_where_it_leads(place: Path) -> None:
    write_root(place / "elsewhere", mode=0o664)
    (place / "roots.d").mkdir()
    (place / "roots.d/root.vkey").symlink_to(place / "elsewhere/root.vkey")
    with pytest.raises(UntrustedRoots, match="elsewhere"):
        installed_roots(packaged=place / "none", system=place / "roots.d")


AS_NOBODY = """
import os, sys
from pathlib import Path
from license.errors import UntrustedRoots
from license.trust.roots import installed_roots
os.setgroups([]); os.setgid(65534); os.setuid(65534)
try:
    print(len(installed_roots(packaged=Path(sys.argv[1]), system=Path(sys.argv[2])).keys))
except UntrustedRoots as error:
    print(error.message)
"""


def ask_as_nobody(packaged: Path, system: Path) -> str:
    command = [sys.executable, "-c", AS_NOBODY, str(packaged), str(system)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@as_root
def test_a_service_user_trusts_what_it_cannot_write(place: Path) -> None:
    write_root(place / "roots.d")
    assert ask_as_nobody(place / "none", place / "roots.d") == "1\n"


@as_root
@pytest.mark.parametrize("mode", [0o644, 0o444])
@pytest.mark.parametrize("weak", ["roots.d/root.vkey", "roots.d", "."])
def test_a_service_user_does_not_trust_what_it_owns_or_could_write(place: Path, weak: str, mode: int) -> None:
    write_root(place / "roots.d", mode=mode)
    os.chown(place / weak, 65534, -1)
    assert "this process could change" in ask_as_nobody(place / "none", place / "roots.d")


@as_root
def test_who_owns_the_package_may_own_the_roots_in_it_but_not_those_of_the_system(place: Path) -> None:
    write_root(place / "package/roots")
    for path in (place / "package", place / "package/roots", place / "package/roots/root.vkey"):
        os.chown(path, 65534, -1)
    assert ask_as_nobody(place / "package/roots", place / "none") == "1\n"
    os.chown(place / "package", 0, -1)  # the code is safe now, so its roots have to be
    assert "could change" in ask_as_nobody(place / "package/roots", place / "none")


def test_roots_may_be_named_by_one_file(tmp_path: Path) -> None:
    root = write_root(tmp_path, "root")
    write_root(tmp_path, "spare")
    assert tuple(load_roots(tmp_path / "root.vkey")) == (root.verifying,)


@pytest.mark.parametrize("named", ["empty", "missing", "note.txt", "note.txt/below"])
def test_a_wrong_place_for_roots_is_told_what_to_name(tmp_path: Path, named: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "note.txt").write_text("no key")
    with pytest.raises(UntrustedRoots) as caught:
        load_roots(tmp_path / named)
    assert caught.value.hint == "name the folder of *.vkey files, or one such file: --roots DIR"
