"""What must not start does not start: a sentence, a next step, an exit code, no traceback."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from license.authority.authority import Authority
from license.authority.issuing.issue import Terms
from tests.support.command_runs import Job, run_all
from tests.support.site import Site

DAY = 86_400


def refused(
    site: Site, code: int, *sentences: str, words: tuple[str, ...] = (), roots: Path | None = None
) -> None:
    done = site.run(*words, roots=roots)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert "error: " in done.stderr
    assert "hint: " in done.stderr
    for sentence in sentences:
        assert sentence in done.stderr, done.stderr


def aged_vendor(home: Path, days: int) -> Authority:
    return Authority.create(home, clock=lambda: int(time.time()) - days * DAY)


def test_without_a_licence_the_documented_sentence_is_shown(site: Site) -> None:
    refused(site, 78, "The provided license path was not found. Please ensure a volume is mounted")


def test_a_missing_licence_directory_is_not_found_too(site: Site) -> None:
    site.license.rmdir()
    refused(site, 78, "The provided license path was not found.")


def test_a_licence_without_its_issuer_note_says_which_file_is_missing(site: Site) -> None:
    site.issue()
    (site.license / "issuer.note").unlink()
    refused(site, 78, "issuer.note")


def test_a_changed_licence_is_forged(site: Site) -> None:
    site.issue()
    note = site.license / "license.note"
    note.write_bytes(note.read_bytes().replace(b"1000000", b"9000000"))
    refused(site, 78, "does not fit the text", "never edit it")


@pytest.mark.parametrize("place", [0.0, 0.2, 0.4, 0.6, 0.8, 0.999])
@pytest.mark.parametrize("name", ["license.note", "issuer.note"])
def test_a_flipped_bit_anywhere_is_refused(site: Site, place: float, name: str) -> None:
    site.issue()
    note = site.license / name
    data = bytearray(note.read_bytes())
    data[int(place * (len(data) - 1))] ^= 0x04
    note.write_bytes(data)
    refused(site, 78)


def test_an_expired_licence_is_refused_with_its_dates(new_site: Callable[..., Site], tmp_path: Path) -> None:
    site = new_site()
    with aged_vendor(tmp_path / "old", 60) as site.vendor:
        site.issue(terms=Terms(days=10, grace_days=5, report_days=5))
        refused(site, 78, "the licence expired at", "its grace ended at")


def test_a_licence_that_begins_later_is_not_yet_valid(site: Site) -> None:
    first = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 30 * DAY))
    last = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 300 * DAY))
    site.issue(period=(first, last))
    refused(site, 78, f"the licence is valid from {first}")


def test_a_licence_for_another_product_is_named(site: Site) -> None:
    site.issue(product="speech", meters={})
    refused(site, 78, "the licence is for speech, not for ner")


def test_a_licence_of_another_machine_is_told_apart_from_a_forged_one(new_site: Callable[..., Site]) -> None:
    one, other = new_site("one"), new_site("other")
    one.issue()
    for name in ("license.note", "issuer.note"):
        (other.license / name).write_bytes((one.license / name).read_bytes())
    refused(other, 78, "bound to another machine")


def test_a_licence_under_another_root_has_an_unknown_signer(
    new_site: Callable[..., Site], tmp_path: Path
) -> None:
    site = new_site()
    site.issue()
    with Authority.create(tmp_path / "stranger") as stranger:
        refused(site, 78, "no root of this installation vouches for it", roots=stranger.roots_dir)


@pytest.mark.parametrize("words", [("Eula=",), ("Eula=no",)])
def test_without_the_eula_nothing_starts(site: Site, words: tuple[str, ...]) -> None:
    refused(site, 78, "Missing EULA=accept command line option.", words=words)


def test_without_an_output_mount_nothing_starts(site: Site) -> None:
    site.issue()
    refused(site, 78, "Mounts:Output is missing", words=("Mounts:Output=",))
    refused(site, 78, "does not exist", words=("Mounts:Output=/nowhere/at/all",))


def test_a_port_in_use_is_named_with_the_way_out(site: Site) -> None:
    site.issue()
    service = site.start()
    port = service.url.rpartition(":")[2]
    service.stop()
    import socket

    with socket.create_server(("127.0.0.1", int(port))):
        refused(site, 78, f"port {port}", "Http:Port", words=(f"Http:Port={port}",))


def test_a_second_service_on_one_ledger_is_refused_as_temporary(site: Site) -> None:
    site.issue()
    site.start()
    refused(site, 75, "ledger")


def test_a_broken_model_folder_ends_the_start_with_its_reason(site: Site, tmp_path: Path) -> None:
    site.issue()
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"id2label": {"0": "O"}}))
    refused(site, 78, "model.onnx", words=(f"Mounts:Model={folder}",))


def test_a_download_names_what_is_missing(site: Site) -> None:
    refused(site, 78, "DownloadLicense=True also needs Billing and ApiKey", words=("DownloadLicense=True",))


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a directory to another user: needs root")
@pytest.mark.parametrize("mount", ["Mounts:Output", "Mounts:License", "Mounts:State"])
def test_a_directory_that_the_service_may_not_enter_is_two_lines_and_a_setting_to_mend(
    site: Site, mount: str
) -> None:
    site.issue()
    places = {"Mounts:Output": site.output, "Mounts:License": site.license, "Mounts:State": site.state}
    closed = places[mount]
    os.chown(closed, 65534, 65534)
    closed.chmod(0)
    places = {key: path.relative_to(site.home) for key, path in places.items()}
    words = ["serve", "--roots", str(site.vendor.roots_dir), "Eula=accept", "Http:Port=0"]
    words += [f"{key}={path}" for key, path in places.items()]
    (ran,) = run_all([Job(program="appliance", words=words, place=str(site.home))])
    errors = [line for line in ran.err.splitlines() if line.startswith(("error:", "hint:"))]
    assert (ran.code, len(errors), "Traceback" in ran.err) == (78, 2, False), ran.err
