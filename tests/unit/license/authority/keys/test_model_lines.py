import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from license.authority.keys.model_lines import create_line, line_path, lines, load_line
from license.crypto import age
from license.crypto.hpke import HpkeKey
from license.errors import AuthorityError, Malformed, NoModelKey, WrongMachine
from license.models.catalogue import read_catalogue
from license.models.keys import identity_for
from license.models.package import open_package, read_manifest

CONTENT = {"config.json": b"{}", "model.onnx": bytes(range(256)) * 40}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    for name, data in CONTENT.items():
        (folder / name).write_bytes(data)
    return folder


def packed(vendor: Any, folder: Path, line: str = "ner-en/3", release: str = "1.0.0") -> Path:
    if line not in lines(vendor.authority.home):
        vendor.authority.create_line(line)
    _, files = vendor.authority.pack(folder, line=line, release=release, name="ner-en", task="ner")
    package: Path = files.package
    return package


def test_a_line_is_made_once_and_kept_private(vendor: Any) -> None:
    home = vendor.authority.home
    recipient = create_line(home, "ner-en/3")
    assert recipient == age.recipient_of(load_line(home, "ner-en/3"))
    path = line_path(home, "ner-en/3")
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert f"# public key: {recipient}" in path.read_text()
    with pytest.raises(AuthorityError, match="exists") as caught:
        create_line(home, "ner-en/3")
    assert "never replaced" in caught.value.hint
    create_line(home, "ner.v2-de/12")
    assert lines(home) == ["ner-en/3", "ner.v2-de/12"]


@pytest.mark.parametrize("line", ["", "ner", "../x/1", "a/b/1", "ner/0", "NER/1", "ner/1 "])
def test_the_name_of_a_line_cannot_leave_its_directory(vendor: Any, line: str) -> None:
    with pytest.raises(Malformed):
        line_path(vendor.authority.home, line)


def test_an_unknown_line_says_how_one_begins(vendor: Any) -> None:
    with pytest.raises(AuthorityError, match="no model line ner-en/4") as caught:
        load_line(vendor.authority.home, "ner-en/4")
    assert "license pack MODEL_DIR --line ner-en/4" in caught.value.hint
    with pytest.raises(AuthorityError, match="no model line"):
        vendor.authority.grant("acme-ner", "ner-en/4")
    with pytest.raises(AuthorityError, match="no model line"):
        vendor.authority.create_resource("x", customer="X", models=("ner-en/4",))


def test_a_damaged_line_file_is_told_so(vendor: Any) -> None:
    create_line(vendor.authority.home, "a/1")
    for text in ("# nothing\n", "x\n", "AGE\nAGE\n"):
        line_path(vendor.authority.home, "a/1").write_text(text)
        with pytest.raises(Malformed):
            load_line(vendor.authority.home, "a/1")


def test_a_licence_opens_every_release_of_its_lines_and_no_other_line(vendor: Any, folder: Path) -> None:
    first = packed(vendor, folder)
    vendor.authority.grant("acme-ner", "ner-en/3")
    licence = vendor.opened().license
    later = packed(vendor, folder, release="1.0.1")
    for path in (first, later):
        manifest = read_manifest(path, roots=vendor.roots)
        identity = identity_for(licence, manifest.line, vendor.hpke)
        assert dict(open_package(path, manifest, identity)) == CONTENT
    other = packed(vendor, folder, line="ner-en/4")
    with pytest.raises(NoModelKey, match="model line ner-en/4; it opens ner-en/3"):
        identity_for(licence, "ner-en/4", vendor.hpke)
    manifest = read_manifest(other, roots=vendor.roots)
    with pytest.raises(NoModelKey, match="does not open ner-en-4"):
        open_package(other, manifest, identity_for(licence, "ner-en/3", vendor.hpke))


def test_a_bound_licence_shows_no_key_and_a_bearer_one_does(vendor: Any, folder: Path) -> None:
    packed(vendor, folder)
    vendor.authority.grant("acme-ner", "ner-en/3")
    bound, bearer = vendor.issue(), vendor.issue(binding="any")
    assert bound.license.models[0].enc == "hpke"
    with pytest.raises(WrongMachine):
        identity_for(bound.license, "ner-en/3", HpkeKey.generate())
    assert identity_for(bearer.license, "ner-en/3", None) == load_line(vendor.authority.home, "ner-en/3")


def test_a_request_without_a_key_to_wrap_for_is_told_so(vendor: Any) -> None:
    vendor.authority.create_line("ner-en/3")
    vendor.authority.grant("acme-ner", "ner-en/3")
    with pytest.raises(AuthorityError, match="names no key") as caught:
        vendor.issue(vendor.request(hpke=None))
    assert caught.value.code == "NoHpkeKey"
    assert vendor.issue(vendor.request(hpke=None), binding="any")
    assert vendor.authority.store.get("acme-ner").models == ("ner-en/3",)


def test_a_request_for_a_line_that_was_not_bought_is_told_so(vendor: Any) -> None:
    with pytest.raises(AuthorityError, match="asks for model line ner-en/3") as caught:
        vendor.issue(vendor.request(models=("ner-en/3",)))
    assert (caught.value.code, caught.value.status) == ("LineNotGranted", "ContainerUseUnauthorized")
    assert "license resource grant acme-ner ner-en/3" in caught.value.hint


def test_the_catalogue_offers_what_verifies_and_is_whole(
    vendor: Any, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    packed(vendor, folder)
    broken = packed(vendor, folder, release="1.0.1")
    missing = packed(vendor, folder, release="1.0.2")
    broken.with_name("ner-en-3-1.0.1.model.note").write_bytes(b"x")
    missing.unlink()
    offered = read_catalogue(vendor.authority.packages_dir, roots=vendor.roots)
    assert [manifest.release for manifest in offered] == ["1.0.0"]
    assert caplog.text.count("is not offered") == 2


@pytest.mark.skipif(shutil.which("age") is None, reason="age is not installed (Debian: apt-get install age)")
def test_the_age_program_opens_a_package_with_the_identity_out_of_a_licence(
    vendor: Any, folder: Path, tmp_path: Path
) -> None:
    package = packed(vendor, folder)
    vendor.authority.grant("acme-ner", "ner-en/3")
    (tmp_path / "identity").write_text(identity_for(vendor.opened().license, "ner-en/3", vendor.hpke) + "\n")
    (tmp_path / "out").mkdir()
    plain = subprocess.run(
        ["age", "--decrypt", "--identity", tmp_path / "identity", package], capture_output=True, check=True
    ).stdout
    subprocess.run(["tar", "--extract", "--directory", tmp_path / "out"], input=plain, check=True)
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == CONTENT
