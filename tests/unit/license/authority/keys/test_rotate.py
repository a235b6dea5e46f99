import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from license.authority.authority import Authority
from license.authority.keys.root_keys import RootPlace, load_root, read_passphrase, save_root
from license.crypto.ed25519 import SigningKey, load_signing_key
from license.errors import (
    AuthorityError,
    EpochTooLow,
    Malformed,
    Unreadable,
    Unwritable,
    WrongPassphrase,
)
from license.licenses.request import open_request
from license.licenses.verify import open_license
from license.models.package import read_manifest
from license.trust.delegation import open_delegation
from license.trust.roots import load_roots

PHRASE = "correct horse battery"


def root_of(vendor: Any, name: str = "root") -> SigningKey:
    return load_signing_key(vendor.authority.home / "keys" / f"{name}.key")


def test_the_next_issuer_has_the_next_epoch_and_old_appliances_accept_it(vendor: Any) -> None:
    before = vendor.issue()
    found = vendor.authority.rotate("issuer", root_of(vendor))
    after = vendor.issue()
    assert (found.epoch, found.role) == (2, "issuer")
    # An appliance built before knows the roots and nothing else.
    opened = open_license(after.note, after.issuer_note, roots=vendor.roots, instance_vkey=vendor.vkey)
    assert opened.delegation.epoch == 2
    assert opened.license.replaces == before.license.id


def test_whoever_saw_the_new_epoch_refuses_the_old_issuers_later_licences(vendor: Any) -> None:
    from license.authority.issuing.issue import issue

    old_keyring = vendor.authority.keyring
    vendor.authority.rotate("issuer", root_of(vendor))
    resource = vendor.authority.store.get("acme-ner")
    late = issue(
        vendor.authority.store, old_keyring, resource, open_request(vendor.request()), now=vendor.clock()
    )
    with pytest.raises(EpochTooLow, match="epoch 1 was replaced: epoch 2"):
        open_license(late.note, late.issuer_note, roots=vendor.roots, min_epoch=2)
    # Who never saw it cannot know: an epoch protects installations, it does not revoke.
    assert open_license(late.note, late.issuer_note, roots=vendor.roots).delegation.epoch == 1


def test_the_former_private_key_is_erased_and_its_delegation_kept(vendor: Any) -> None:
    before = vendor.issue()
    home = vendor.authority.home
    vendor.authority.rotate("issuer", root_of(vendor))
    assert sorted(path.name for path in (home / "keys").glob("issuer-*")) == ["issuer-2.key"]
    former = (home / "former/issuer-1.note").read_bytes()
    assert former == before.issuer_note
    assert open_license(before.note, former, roots=vendor.roots)


def test_a_running_authority_notices_that_another_process_rotated(vendor: Any) -> None:
    with Authority.open(vendor.authority.home, clock=vendor.clock) as running:
        vendor.authority.rotate("issuer", root_of(vendor))
        issued = running.issue(running.store.get("acme-ner"), vendor.request())
    assert open_license(issued.note, issued.issuer_note, roots=vendor.roots).delegation.epoch == 2


def test_the_spare_root_rotates_when_the_first_is_lost(vendor: Any) -> None:
    spare = root_of(vendor, "spare-root")
    (vendor.authority.home / "keys/root.key").unlink()
    vendor.authority.rotate("issuer", spare)
    issued = vendor.issue()
    opened = open_license(issued.note, issued.issuer_note, roots=vendor.roots)
    assert opened.root.name.endswith("spare-root")


def test_the_witness_rotates_alone(vendor: Any) -> None:
    issuer = vendor.authority.keyring.issuer.verifying
    vendor.authority.rotate("witness", root_of(vendor))
    ring = vendor.authority.keyring
    assert ring.issuer.verifying == issuer
    assert open_delegation(ring.witness_note, roots=ring.roots, role="witness")[0].epoch == 2
    assert ring.delegation.epoch == 1


def test_a_strange_root_rotates_nothing(vendor: Any) -> None:
    with pytest.raises(AuthorityError, match="not a root of the authority") as caught:
        vendor.authority.rotate("issuer", SigningKey.generate("license.example.com/root"))
    assert caught.value.code == "NotARoot"
    assert vendor.issue()
    assert not (vendor.authority.home / "former").exists()


def test_a_rotation_that_cannot_be_written_leaves_the_issuer_in_force(
    vendor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (vendor.authority.home / "former").touch()
    with pytest.raises(Unwritable):
        vendor.authority.rotate("issuer", root_of(vendor))
    assert vendor.issue().license.serial == 1


def test_packages_on_offer_are_signed_again_by_the_new_issuer(vendor: Any, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model/model.onnx").write_bytes(b"weights")
    vendor.authority.create_line("ner-en/3")
    _, files = vendor.authority.pack(tmp_path / "model", line="ner-en/3", release="1", name="m", task="ner")
    package = files.package.read_bytes()
    vendor.clock.now += 5
    vendor.authority.rotate("issuer", root_of(vendor))
    manifest = read_manifest(files.package, roots=vendor.roots)
    assert manifest.issued == vendor.clock.now
    assert open_delegation(files.issuer.read_bytes(), roots=vendor.roots, role="issuer")[0].epoch == 2
    assert files.package.read_bytes() == package


@pytest.fixture(scope="module")
def apart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority whose root is locked on one medium and whose spare root lies on another."""
    place = tmp_path_factory.mktemp("apart")
    for name in ("one", "two"):
        (place / name).mkdir()
    places = {
        "root": RootPlace(directory=place / "one", passphrase=PHRASE),
        "spare-root": RootPlace(directory=place / "two"),
    }
    with Authority.create(place / "home", places=places) as authority:
        assert authority.root_keys == (place / "one/root.key.age", place / "two/spare-root.key")
    return place


def test_root_keys_go_where_they_are_told_and_under_a_passphrase(apart: Path) -> None:
    assert [path.name for path in (apart / "home/keys").iterdir() if "root" in path.name] == []
    locked = apart / "one/root.key.age"
    assert locked.stat().st_mode & 0o777 == 0o600
    assert b"PRIVATE" not in locked.read_bytes()
    with pytest.raises(WrongPassphrase, match=r"does not open .*root\.key\.age"):
        load_root(locked, lambda: "wrong horse battery")
    with Authority.open(apart / "home") as authority:
        authority.rotate("issuer", load_root(locked, lambda: PHRASE))
        assert authority.keyring.delegation.epoch == 2


@pytest.mark.skipif(shutil.which("age") is None, reason="age is not installed (Debian: apt-get install age)")
def test_the_age_program_knows_a_locked_root_for_an_age_file(apart: Path) -> None:
    # It takes passphrases from a terminal only; without one it gets as far as asking.
    done = subprocess.run(
        ["age", "--decrypt", apart / "one/root.key.age"],
        check=False,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert "passphrase" in done.stderr
    assert "unknown format" not in done.stderr


def test_nothing_is_made_where_a_medium_is_missing(tmp_path: Path) -> None:
    with pytest.raises(Unwritable, match="no directory"):
        Authority.create(tmp_path / "home", places={"root": RootPlace(directory=tmp_path / "usb")})
    assert not (tmp_path / "home").exists()


def test_a_root_key_is_never_overwritten(tmp_path: Path) -> None:
    save_root(tmp_path / "root.key", SigningKey.generate("r"), RootPlace())
    with pytest.raises(AuthorityError, match="already holds a root key"):
        save_root(tmp_path / "root.key", SigningKey.generate("r"), RootPlace())


@pytest.mark.parametrize("phrase", ["", "short", "eleven char", "with\ttab and more"])
def test_a_passphrase_that_protects_nothing_is_refused(phrase: str) -> None:
    with pytest.raises(Malformed, match="passphrase"):
        RootPlace(passphrase=phrase)


def test_a_passphrase_file_gives_its_first_line(tmp_path: Path) -> None:
    (tmp_path / "phrase").write_bytes(b"\xef\xbb\xbfcorrect horse battery\r\nand a remark\r\n")
    assert read_passphrase(tmp_path / "phrase") == PHRASE
    with pytest.raises(Unreadable):
        read_passphrase(tmp_path / "nothing")


def test_a_root_file_that_holds_none_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes(b"no key")
    (tmp_path / "text").chmod(0o600)
    with pytest.raises(Malformed, match="not a signing key"):
        load_root(tmp_path / "text", lambda: PHRASE)
    with pytest.raises(Unreadable):
        load_root(tmp_path / "nothing", lambda: PHRASE)


def test_a_second_authority_does_not_take_the_first_ones_place(new_vendor: Callable[..., Any]) -> None:
    one, two = new_vendor(), new_vendor()
    assert load_roots(one.authority.roots_dir).keys != load_roots(two.authority.roots_dir).keys
