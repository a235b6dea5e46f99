"""Have `appliance transcribe` read what it should not, write where it should not, or do it for nothing."""

import json
import os
import re
import subprocess
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePath

import numpy as np
import pytest

from license.authority.authority import Authority
from tests.e2e.speech.test_rest import wav
from tests.integration.transcribing.test_command import counted, files, put, run, said, start, talk, until
from tests.support.forked_process import run_forked_text
from tests.support.site import Site, clean_environ
from tests.support.speech_site import speech_site
from tests.support.usp import header
from tests.support.webm import UNKNOWN, Written, webm

SECRET = "nobody may hear this"
GO = {"go.txt": "Go.\n"}


@pytest.fixture
def site(tmp_path: Path, vendor: Authority) -> Iterator[Site]:
    site = speech_site(tmp_path / "site", vendor)
    put(site.home / "in", go__wav=said("go"))
    put(site.home / "elsewhere", secret__wav=said(SECRET))
    yield site
    site.close()


def test_links_out_of_a_directory_are_not_followed(site: Site, tones: Path) -> None:
    given = site.home / "in"
    (given / "linked.wav").symlink_to(site.home / "elsewhere/secret.wav")
    (given / "folder").symlink_to(site.home / "elsewhere")
    (given / "circle.wav").symlink_to("circle.wav")
    (given / "zero.wav").symlink_to("/dev/zero")
    os.mkfifo(given / "pipe.wav")
    (given / "again.wav").symlink_to("go.wav")
    done = run(site, tones, "in", "--out", "out")
    assert done.returncode == 1
    assert list(files(site.home / "out").values()) == ["Go.\n"], "one recording of two names"
    assert "in/linked.wav: it is a link that leads out of in (name the recording itself)" in done.stderr
    assert "in/zero.wav: " in done.stderr
    assert "Traceback" not in done.stderr
    assert counted(site) == 2
    named = run(site, tones, "in/linked.wav", "--out", "named")
    assert named.returncode == 0, "who types the link means what it leads to"
    assert files(site.home / "named") == {"linked.txt": f"{SECRET.capitalize()}.\n"}


def test_a_link_that_is_put_in_place_while_others_are_heard_is_not_followed(site: Site, tones: Path) -> None:
    put(site.home / "in", a__wav=talk(60), z__wav=said("zero"))
    process, _ = start(site, tones, "in", "--out", "out", "Engine:Sessions=1")
    until(process, (site.home / "out/.transcribe").exists)
    (site.home / "in/z.wav").unlink()
    (site.home / "in/z.wav").symlink_to(site.home / "elsewhere/secret.wav")
    process.wait(60)
    assert SECRET not in "".join(files(site.home / "out").values()).lower()


@pytest.fixture
def deep(site: Site) -> Iterator[Path]:
    """More directories in one another than calls can be; the way down from any root."""
    down = PurePath(*["d"] * 1_300)
    for number in range(1_300):
        (site.home / "in" / PurePath(*down.parts[: number + 1])).mkdir()
    yield Path(down)
    # What cleans up behind the tests would go down by calls.
    subprocess.run(["rm", "-rf", site.home / "in", site.home / "out"], check=True)


def test_names_and_depths_of_all_kinds_are_transcribed_or_named(site: Site, tones: Path, deep: Path) -> None:
    put(site.home / "in", **{f"{'n' * 251}__wav": said("long"), "\x1b]0;x\x07__wav": said("bell")})
    (site.home / "in" / "\udcff.wav").write_bytes(said("odd"))
    (site.home / "in" / deep / "deep.wav").write_bytes(said("deep"))
    done = run(site, tones, "in", "--out", "out")
    assert done.returncode == 1
    assert "\x1b" not in done.stderr
    assert "1 of 5 recordings was not transcribed" in done.stderr
    assert "nnn.txt.json: File name too long" in done.stderr
    texts = {path.read_text() for path in (site.home / "out").glob("*.txt")}
    assert texts == {"Go.\n", "Bell.\n", "Odd.\n"}
    assert counted(site) == 8
    assert (site.home / "out" / deep / "deep.txt").read_text() == "Deep.\n"


def test_nothing_outside_the_directory_of_transcripts_is_written(site: Site, tones: Path) -> None:
    out, elsewhere = site.home / "out", site.home / "elsewhere"
    put(site.home / "in/sub", taken__wav=said("sub"))
    put(elsewhere, go__txt=b"keep me", taken__txt=b"keep me")
    (out / ".transcribe").mkdir(parents=True)
    (out / "go.txt").symlink_to(elsewhere / "go.txt")
    (out / "sub").symlink_to(elsewhere)
    before = {path.name: path.read_bytes() for path in elsewhere.iterdir()}
    done = run(site, tones, "in", "--out", "out")
    assert done.returncode == 1
    assert {path.name: path.read_bytes() for path in elsewhere.iterdir()} == before
    assert "out/sub is a link that leads out of out" in done.stderr
    assert counted(site) == 0
    notes = site.home / "notes"
    notes.mkdir()
    (site.home / "out2").mkdir()
    (site.home / "out2/.transcribe").symlink_to(notes)
    done = run(site, tones, "in/go.wav", "--out", "out2")
    assert done.returncode == 1
    assert list(notes.iterdir()) == []


@pytest.mark.parametrize(
    "note",
    [
        b"[" * 500_000,
        b'{"format":1,"source":' + b"[" * 400_000,
        b"\0" * 2_000_000,
        b'{"format":1,"source":{"bytes":1,"sha256":[],"model":7,"options":null},"sha256":{}}',
        b"9" * 100_000,
    ],
)
def test_a_note_that_was_not_written_by_the_command_changes_nothing(
    site: Site, tones: Path, note: bytes
) -> None:
    put(site.home / "out/.transcribe", go__txt__json=note)
    done = run(site, tones, "in", "--out", "out")
    assert done.returncode == 0, done.stderr
    assert files(site.home / "out") == GO
    assert counted(site) == 2


def test_hostile_recordings_are_refused_and_cost_little(site: Site, tones: Path) -> None:
    huge = header(16_000)
    packets = [b"\xf8\xff\xfe"] * 50
    put(
        site.home / "in",
        a__webm=webm(packets)[:-2],
        b__webm=b"\x1a\x45\xdf\xa3" + UNKNOWN + bytes(2_000),
        c__webm=webm(packets, Written(known=False)) + b"\xec\x80" * 100_000 + b"\xa3\x84\x81",
        d__webm=webm([b"\x80"] * 1_000)[:-1] + b"\xff" * 9,
        e__flac=b"fLaC" + bytes(9_000),
        f__opus=b"OggS" + bytes(9_000),
        g__wav=huge[:12] + b"LIST\xff\xff\xff\xff",
    )
    with (site.home / "in/h.wav").open("wb") as sparse:
        sparse.write(huge)
        sparse.truncate(1 << 43)  # eight terabytes that take no room
    began = time.monotonic()
    done = run(site, tones, "in", "--out", "out")
    assert time.monotonic() - began < 60
    assert done.returncode == 1
    assert files(site.home / "out") == GO, "the others are transcribed all the same"
    assert "h.wav: it has 8796093022208 bytes" in done.stderr
    assert "Traceback" not in done.stderr
    assert counted(site) == 2


def seconds_had(out: Path) -> int:
    """Whole seconds of all transcripts in a directory, those too that have their content but no name yet."""
    there = [path.read_bytes() for pattern in ("r*.json", ".reserved.*") for path in out.glob(pattern)]
    lengths = [re.search(rb'"durationMilliseconds": *(\d+)', content) for content in there]  # first of all
    return sum(-(-int(length[1]) // 1_000) for length in lengths if length)


def test_no_transcript_is_had_without_its_seconds(site: Site, tones: Path) -> None:
    """Killed at any moment, again and again: what lies there is counted, once or more often."""
    put(site.home / "in", **{f"r{number:02}__wav": talk(20) for number in range(12)})
    randomly = np.random.default_rng(3)
    for _ in range(4):
        process, _ = start(site, tones, "in", "--out", "out", "--format", "json", "Engine:Sessions=2")
        time.sleep(float(randomly.uniform(0.8, 2.5)))
        process.kill()
        process.wait(10)
        assert seconds_had(site.home / "out") <= counted(site)
    assert seconds_had(site.home / "out") > 0


def evaluate(*typed: object, status: int = 0) -> str:
    done = run_forked_text("appliance", ["speech", "evaluate", *map(str, typed)], environ=clean_environ())
    assert done.returncode == status, done.stderr
    return done.stdout + done.stderr


def test_what_measures_models_shows_few_texts_and_does_not_transcribe(tones: Path, tmp_path: Path) -> None:
    recordings = put(tmp_path / "mine", **{f"r{number:02}__wav": wav() for number in range(30)})
    lines = [json.dumps({"path": f"r{number:02}.wav", "text": "x"}) for number in range(30)]
    (recordings / "mine.jsonl").write_text("\n".join(lines))
    told = evaluate(recordings / "mine.jsonl", "--model", tones, "--worst", 20)
    assert told.lower().count("turn left") == 20
    assert "--worst" in evaluate(recordings / "mine.jsonl", "--model", tones, "--worst", 21, status=2)
    told = evaluate(recordings / "mine.jsonl", "--model", tones, "--json", "--worst", 0)
    assert "turn" not in told.lower()


def test_lists_and_archives_of_recordings_lead_nowhere_else(tones: Path, tmp_path: Path) -> None:
    secret = put(tmp_path / "elsewhere", secret__wav=said(SECRET)) / "secret.wav"
    mine = put(tmp_path / "mine", huge__wav=b"")
    (mine / "linked.wav").symlink_to(secret)
    with (mine / "huge.wav").open("r+b") as sparse:
        sparse.truncate(1 << 43)
    for path, refusal in (
        (str(secret), "leads out of the folder"),
        ("../elsewhere/secret.wav", "leads out of the folder"),
        ("linked.wav", "is not in"),
        ("huge.wav", "huge.wav"),
    ):
        (mine / "list.jsonl").write_text(json.dumps({"path": path, "text": "x"}))
        said_of = evaluate(mine / "list.jsonl", "--model", tones, status=1)
        assert refusal in said_of
        assert "nobody" not in said_of.lower()
        assert "Traceback" not in said_of
    archive = tmp_path / "swells.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("trans.txt", "a.wav\tx\n")
        with packed.open("a.wav", "w") as entry:
            for _ in range(520):
                entry.write(bytes(1 << 20))
    assert "is larger than 536870912 bytes" in evaluate(archive, "--model", tones, status=1)
