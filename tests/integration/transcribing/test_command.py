"""`appliance transcribe` as it is typed: what it writes, what it counts, and what it leaves alone."""

import io
import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import numpy as np
import pytest
import soundfile

from appliance.config.products import SPEECH_TO_TEXT
from license.authority.authority import Authority
from license.authority.book.metering import usage_of
from license.evidence.verify.verify import verify
from license.trust.roots import load_roots
from tests.e2e.speech.test_rest import SPOKEN, TRANSCRIBE, VERSION, packed, wav
from tests.support.disks import fill, require_mounts, tmpfs
from tests.support.forked_process import ForkedProcess, run_forked_text
from tests.support.paths import ROOT
from tests.support.site import Site, clean_environ
from tests.support.tones import RATE, silence, speak
from tests.support.webm import as_webm

RECORDINGS = ROOT / "tests/unit/speech/recordings"
Sites = Callable[..., Site]


def words(site: Site, tones: Path | None, *typed: object) -> list[str]:
    model = () if tones is None else (f"Mounts:Model={tones}",)
    return [
        *("transcribe", "--roots", str(site.vendor.roots_dir), "Eula=accept", *site.mounts, *model),
        *map(str, typed),
    ]


def run(site: Site, tones: Path | None, *typed: object) -> "CompletedProcess[str]":
    given = words(site, tones, *typed)
    return run_forked_text("appliance", given, environ=clean_environ(), directory=site.home, timeout=120)


def counted(site: Site) -> int:
    done = run_forked_text(
        "appliance", ["usage", "report", str(site.output), "--json"], environ=clean_environ()
    )
    assert done.returncode == 0, done.stderr
    meters = json.loads(done.stdout)["meters"]
    return sum(int(meter["quantity"]) for meter in meters if meter["name"] == SPEECH_TO_TEXT.meter)


def files(folder: Path) -> dict[str, str]:
    """The transcripts below a directory, without what the command keeps beside them."""
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".transcribe" not in path.parts
    }


def put(folder: Path, **recordings: bytes) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in recordings.items():
        (folder / name.replace("__", ".")).write_bytes(data)
    return folder


def said(*texts: str, pause: float = 1.0) -> bytes:
    return wav(np.concatenate([part for text in texts for part in (speak(text), silence(pause))]))


def test_real_recordings_become_text_by_the_bundled_model(new_site: Sites) -> None:
    site = new_site()
    shutil.copytree(RECORDINGS, site.home / "calls")
    done = run(site, None, "calls", "--out", "text")
    assert done.returncode == 0, done.stderr
    found = files(site.home / "text")
    assert len(found) == 6
    assert found["start.txt"] == "Start.\n"
    assert "left out, since their names are not those of recordings: 1 .txt, 1 .md" in done.stderr
    assert done.stdout == ""
    lengths = [soundfile.info(path).duration for path in RECORDINGS.glob("*.opus")]
    assert counted(site) == sum(int(-(-length // 1)) for length in lengths)
    report = verify(site.output, load_roots(site.vendor.roots_dir))
    assert report.exit_code == 0


def test_every_kind_that_the_service_hears_is_transcribed_with_its_path(new_site: Sites, tones: Path) -> None:
    site = new_site()
    kinds = {
        "a.wav": ("WAV", "PCM_24", 48_000),
        "b.flac": ("FLAC", "PCM_16", 44_100),
        "c.opus": ("OGG", "OPUS", 48_000),
        "deep/d.mp3": ("MP3", "MPEG_LAYER_III", 44_100),
        "deep/er/e.aiff": ("AIFF", "PCM_16", 22_050),
        "f.caf": ("CAF", "ALAC_16", 44_100),
        "g.au": ("AU", "ULAW", 8_000),
        "h.w64": ("W64", "PCM_16", 16_000),
        "i.rf64": ("RF64", "PCM_16", 16_000),
        "j.wav": ("WAV", "ALAW", 8_000),
        "k.webm": ("OGG", "OPUS", 48_000),
    }
    for name, (kind, subtype, rate) in kinds.items():
        data = packed(kind, subtype, rate)
        data = as_webm(data) if name.endswith(".webm") else data
        put((site.home / "in" / name).parent, **{Path(name).name: data})
    done = run(site, tones, "in", "--out", "out", "--format", "srt")
    assert done.returncode == 0, done.stderr
    found = files(site.home / "out")
    assert sorted(found) == sorted(str(Path(name).with_suffix(".srt")) for name in kinds)
    for name, text in found.items():
        number, times, shown = text.splitlines()[:3]
        assert (number, shown.startswith("Turn left")) == ("1", True), name
        assert times.startswith("00:00:00,")
    assert counted(site) == 2 * len(kinds)


def test_json_is_what_the_service_answers_and_the_count_is_the_same(new_site: Sites, tones: Path) -> None:
    site, other = new_site("one"), new_site("two")
    recording = said("turn left", "one two", "go on")
    put(site.home / "in", a__wav=recording)
    done = run(site, tones, "in/a.wav", "--format", "json", "--out", "out", "--language", "en-us")
    assert done.returncode == 0, done.stderr
    service = other.start("Service=speechtotext", f"Mounts:Model={tones}")
    with service.client() as client:
        reply = client.post(TRANSCRIBE, params=VERSION, files={"audio": recording})
    assert json.loads(files(site.home / "out")["a.json"]) == reply.json()
    assert service.stop() == 0
    assert counted(site) == counted(other)


def test_files_are_private_and_so_are_directories_made_for_them(new_site: Sites, tones: Path) -> None:
    site = new_site()
    put(site.home / "in/deep", a__wav=said("go"))
    assert run(site, tones, "in", "--out", "new/out").returncode == 0
    for path in (site.home / "new").rglob("*"):
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path
    assert not list((site.home / "new").rglob(".reserved*"))


def test_what_is_done_is_not_done_or_counted_again(new_site: Sites, tones: Path) -> None:
    site = new_site()
    put(site.home / "in", a__wav=said("go"), b__wav=said("stop"))
    assert run(site, tones, "in", "--out", "out").returncode == 0
    before, written = counted(site), (site.home / "out/a.txt").stat().st_mtime_ns
    again = run(site, tones, "in", "--out", "out")
    assert (again.returncode, counted(site)) == (0, before)
    assert "done before in/a.wav" in again.stderr
    assert "2 recordings: 2 done before; 0 seconds of audio counted" in again.stderr
    assert (site.home / "out/a.txt").stat().st_mtime_ns == written
    moved = shutil.move(site.home / "in", site.home / "elsewhere")
    assert "2 done before" in run(site, tones, moved, "--out", "out").stderr


def release(model: Path, number: str) -> None:
    facts = json.loads((model / "model.json").read_text())
    (model / "model.json").write_text(json.dumps({**facts, "release": number}))


def test_another_recording_other_options_or_another_model_make_it_again(
    new_site: Sites, tones: Path, tmp_path: Path
) -> None:
    site = new_site()
    put(site.home / "in", a__wav=said("go"))
    model = Path(shutil.copytree(tones, tmp_path / "model"))
    changes: list[tuple[Callable[[], object], Sequence[str]]] = [
        (lambda: None, ()),
        (lambda: None, ("--phrase", "gone")),
        (lambda: put(site.home / "in", a__wav=said("stop")), ("--phrase", "gone")),
        (lambda: release(model, "2.0.0"), ("--phrase", "gone")),
    ]
    for change, typed in changes:
        change()
        made = run(site, model, "in", "--out", "out", *typed)
        assert "transcribed in/a.wav" in made.stderr, (typed, made.stderr)
        assert "done before" in run(site, model, "in", "--out", "out", *typed).stderr
    assert files(site.home / "out") == {"a.txt": "Stop.\n"}


def test_what_somebody_changed_or_wrote_is_kept_and_told(new_site: Sites, tones: Path) -> None:
    site = new_site()
    put(site.home / "in", a__wav=said("go"), b__wav=said("stop"), c__wav=said("left"))
    put(site.home / "out", b__txt=b"my own\n")
    first = run(site, tones, "in", "--out", "out")
    assert first.returncode == 1
    assert "in/b.wav: b.txt: a file of that name is there that this command did not make" in first.stderr
    (site.home / "out/a.txt").write_text("Go, she said.\n")
    before = counted(site)
    second = run(site, tones, "in", "--out", "out", "--phrase", "gone")
    assert "in/a.wav: a.txt: its transcript was changed after it was made, and is kept" in second.stderr
    assert files(site.home / "out") == {
        "a.txt": "Go, she said.\n",
        "b.txt": "my own\n",
        "c.txt": "Left.\n",
    }
    assert counted(site) == before + 2, "of c.wav alone"


def test_a_transcript_that_is_lost_is_made_and_counted_again(new_site: Sites, tones: Path) -> None:
    site = new_site()
    put(site.home / "in", a__wav=said("go"))
    run(site, tones, "in", "--out", "out")
    (site.home / "out/a.txt").unlink()
    assert "transcribed" in run(site, tones, "in", "--out", "out").stderr
    assert counted(site) == 4


def test_a_bad_recording_stops_no_other_and_is_told_at_the_end(new_site: Sites, tones: Path) -> None:
    site = new_site()
    broken = packed("FLAC", "PCM_16")
    late = bytearray(broken)
    late[len(late) // 2 :] = b"\0" * (len(late) - len(late) // 2)
    longer = io.BytesIO()
    soundfile.write(longer, np.zeros(4_000 * 7_201, np.int16), 4_000, "PCM_U8", format="WAV")
    put(
        site.home / "in",
        a__wav=b"no audio at all",
        b__wav=wav()[:30],
        c__flac=bytes(late),
        d__wav=longer.getvalue(),
        e__wav=b"",
        z__wav=said("go"),
    )
    done = run(site, tones, "in", "--out", "out")
    assert done.returncode == 1
    assert files(site.home / "out") == {"z.txt": "Go.\n"}
    told = done.stderr.partition("not transcribed:\n")[2]
    for name in "a.wav", "b.wav", "c.flac", "d.wav", "e.wav":
        assert f"  in/{name}: " in told, told
    assert "d.wav: the audio is longer than 7200 seconds" in told
    assert "error: 5 of 6 recordings were not transcribed" in told
    assert "Traceback" not in done.stderr
    assert counted(site) == 2, "of z.wav alone"


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        (("in", "in2"), "in/a.wav and in2/a.flac would both be written to a.txt"),
        (("missing.wav",), "there is no file or directory missing.wav"),
        (("empty",), "there is no recording in empty"),
        ((), "no recording is named"),
        (("in/a.wav", "Mount:License=x"), "there is no file or directory Mount:License=x"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_made(
    new_site: Sites, tones: Path, typed: tuple[str, ...], message: str
) -> None:
    site = new_site()
    put(site.home / "in", a__wav=said("go"))
    put(site.home / "in2", a__flac=packed("FLAC", "PCM_16"))
    put(site.home / "empty", a__m4a=b"x")
    done = run(site, tones, *typed, "--out", "out")
    assert (done.returncode, f"error: {message}\n" in done.stderr) == (2, True), done.stderr
    assert "hint: " in done.stderr
    assert not (site.home / "out").exists()
    assert not list(site.output.iterdir())


def test_settings_that_cannot_be_meant_are_refused(new_site: Sites, tones: Path) -> None:
    site = new_site()
    put(site.home / "in", a__wav=said("go"))
    text = run(site, tones, "in", "Service=customner", "--out", "out")
    assert text.returncode == 78
    assert "error: Service=customner: recordings are transcribed by speechtotext\n" in text.stderr
    other = run(site, tones, "in", "--language", "de-DE", "--out", "out")
    assert other.returncode == 78
    assert "error: the language de-DE is not spoken by the model, which speaks en-US\n" in other.stderr
    long = run(site, tones, "in", "--phrase", "x" * 201, "--out", "out")
    assert long.returncode == 2


def test_a_recording_that_is_named_twice_is_counted_once(new_site: Sites, tones: Path) -> None:
    site = new_site()
    put(site.home / "in", a__wav=said("go"))
    done = run(site, tones, "in", "in/a.wav", "in/a.wav", "--out", "out")
    assert done.returncode == 0
    assert "1 recording: 1 transcribed; 2 seconds of audio counted" in done.stderr
    assert counted(site) == 2


def test_one_transcript_can_be_printed(new_site: Sites, tones: Path) -> None:
    site = new_site()
    put(site.home / "in", a__wav=said("go"), b__wav=said("stop"))
    done = run(site, tones, "in/a.wav", "--out", "-", "--format", "vtt")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("WEBVTT\n\n00:00:00.")
    two = run(site, tones, "in", "--out", "-")
    assert two.returncode == 2
    assert "error: --out - prints one transcript, and there are 2\n" in two.stderr
    assert counted(site) == 2


def test_without_a_licence_nothing_is_made(new_site: Sites, tones: Path) -> None:
    site = new_site()
    for note in site.license.iterdir():
        note.unlink()
    put(site.home / "in", a__wav=said("go"))
    done = run(site, tones, "in", "--out", "out")
    service = site.run("Service=speechtotext", f"Mounts:Model={tones}")
    assert done.returncode == service.returncode == 78
    assert done.stderr.splitlines()[-2:] == service.stderr.splitlines()[-2:]
    assert not (site.home / "out").exists()


def test_an_expired_licence_writes_nothing(new_site: Sites, tones: Path) -> None:
    site = new_site()
    put(site.home / "in", a__wav=said("go"))
    assert run(site, tones, "in", "--out", "out").returncode == 0
    end = int(time.time()) + 1
    site.issue(
        product="speech",
        meters={SPEECH_TO_TEXT.meter: 100},
        changes={"expires": end, "terminates": end, "report_by": end},
    )
    time.sleep(1.5)
    before = counted(site)
    put(site.home / "in", b__wav=said("stop"))
    done = run(site, tones, "in", "--out", "out")
    assert done.returncode == 78
    assert "error: the licence expired at " in done.stderr
    assert sorted(files(site.home / "out")) == ["a.txt"]
    assert counted(site) == before


def test_a_plan_that_is_used_up_ends_the_work_with_its_own_status(new_site: Sites, tones: Path) -> None:
    site = new_site(meters={SPEECH_TO_TEXT.meter: 5}, overage="block")
    put(site.home / "in", **{f"r{number}__wav": said("go") for number in range(6)})
    done = run(site, tones, "in", "--out", "out")
    assert done.returncode == 13
    assert "error: the plan's 5 units of " in done.stderr
    assert " not begun; 4 seconds of audio counted" in done.stderr
    assert len(files(site.home / "out")) == 2
    assert counted(site) == 4
    again = run(site, tones, "in", "--out", "out")
    assert (again.returncode, counted(site)) == (13, 4)


def test_beside_a_running_service_it_says_so_and_works_with_an_installation_of_its_own(
    new_site: Sites, tones: Path
) -> None:
    site = new_site("service")
    site.start("Service=speechtotext", f"Mounts:Model={tones}")
    put(site.home / "in", a__wav=said("go"))
    locked = run(site, tones, "in", "--out", "out")
    assert locked.returncode == 75
    assert "error: another process writes the ledger in " in locked.stderr
    assert "give this command an installation of its own" in locked.stderr
    assert not (site.home / "out").exists()
    own = new_site("own")
    shared = f"Mounts:Output={site.output}"
    done = run(own, tones, site.home / "in", "--out", site.home / "out", shared)
    assert done.returncode == 0, done.stderr
    assert len(list((site.output / "speechtotext").iterdir())) == 2
    report = verify(site.output, load_roots(site.vendor.roots_dir))
    assert report.exit_code == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may use what is another user's")
def test_the_installation_of_another_user_is_left_alone(new_site: Sites, tones: Path) -> None:
    site = new_site()
    put(site.home / "in", a__wav=said("go"))
    os.chown(site.state, 65_534, 65_534)
    done = run(site, tones, "in", "--out", "out")
    assert done.returncode == 78
    assert f"error: the keys in {site.state} belong to user 65534, and this is user 0: " in done.stderr
    assert "give this command an installation of its own" in done.stderr
    assert not list(site.output.iterdir())


def test_a_connected_run_reports_what_was_transcribed(
    new_site: Sites, tones: Path, vendor: Authority, billing: str
) -> None:
    site = new_site()
    put(site.home / "in", a__wav=said("go"))
    created = vendor.create_resource("connected-speech", customer="Acme Ltd", product="speech", tier="S0")
    offline = words(site, tones, "in", "--out", "out", f"Billing={billing}")
    online = [word for word in offline if not word.startswith("Mounts:License=")]

    def connected(key: str) -> "CompletedProcess[str]":
        given = [*online, f"ApiKey={key}"]
        return run_forked_text("appliance", given, environ=clean_environ(), directory=site.home, timeout=120)

    refused = connected("0" * 32)
    assert refused.returncode == 10, refused.stderr
    assert not (site.home / "out").exists()
    done = connected(created.key1)
    assert done.returncode == 0, done.stderr
    assert files(site.home / "out") == {"a.txt": "Go.\n"}
    (log,) = usage_of(vendor.store.engine, created.resource.name)
    assert {meter: tally.quantity for (_, meter, *_), tally in log.days.items()} == {SPEECH_TO_TEXT.meter: 2}


def talk(seconds: int) -> bytes:
    rate = RATE // 2
    piece = np.concatenate((speak("turn left and go on then stop", rate=rate), silence(0.8, rate=rate)))
    data = io.BytesIO()
    soundfile.write(data, np.tile(piece, seconds * rate // len(piece)), rate, "ULAW", format="WAV")
    return data.getvalue()


def start(site: Site, tones: Path, *typed: object) -> tuple[ForkedProcess, Path]:
    log = site.home / "transcribe.log"
    with log.open("wb") as output:
        process = ForkedProcess(
            "appliance",
            words(site, tones, *typed),
            environ=clean_environ(),
            stdout=output,
            stderr=output,
            directory=site.home,
        )
    return process, log


def until(process: ForkedProcess, holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert process.poll() is None, "it ended"
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stop_keeps_what_is_done_and_records_what_was_heard(
    new_site: Sites, tones: Path, number: int, status: int
) -> None:
    site = new_site()
    put(site.home / "in", a__wav=said("go"), b__wav=talk(7_000))
    process, log = start(site, tones, "in", "--out", "out", "Engine:Sessions=1")
    until(process, (site.home / "out/a.txt").exists)
    time.sleep(1)
    process.send_signal(number)
    assert process.wait(30) == status, log.read_text()
    assert files(site.home / "out") == {"a.txt": "Go.\n"}
    assert not list((site.home / "out").rglob(".reserved*"))
    told = log.read_text()
    assert "interrupted in/b.wav" in told, told
    assert "Traceback" not in told
    heard = counted(site) - 2
    assert 0 < heard < 7_000
    assert f" {heard + 2:,} seconds of audio counted" in told
    put(site.home / "in", b__wav=said("stop"))
    again = run(site, tones, "in", "--out", "out")
    assert "done before in/a.wav" in again.stderr
    assert "transcribed in/b.wav" in again.stderr


@pytest.mark.slow
def test_a_kill_leaves_no_half_transcript_and_the_next_run_goes_on(new_site: Sites, tones: Path) -> None:
    site = new_site()
    put(site.home / "in", **{f"r{number:02}__wav": talk(120) for number in range(16)})
    process, _ = start(site, tones, "in", "--out", "out", "--format", "json", "Engine:Sessions=2")
    until(process, (site.home / "out/r01.json").exists)
    process.kill()
    process.wait(10)
    done = files(site.home / "out")
    assert 0 < len(done) < 16
    for text in (text for name, text in done.items() if name.endswith(".json")):
        assert json.loads(text)["phrases"]
    again = run(site, tones, "in", "--out", "out", "--format", "json")
    assert again.returncode == 0, again.stderr
    assert len([name for name in files(site.home / "out") if name.endswith(".json")]) == 16
    assert f"{sum(name.endswith('.json') for name in done)} done before" in again.stderr


def test_a_full_disk_of_transcripts_counts_nothing(new_site: Sites, tones: Path, tmp_path: Path) -> None:
    require_mounts()
    site = new_site()
    put(site.home / "in", a__wav=said("go"), b__wav=said("stop"))
    with tmpfs(tmp_path / "disk", megabytes=1) as disk:
        (disk / "out").mkdir()
        fill(disk / "filler")
        done = run(site, tones, "in", "--out", disk / "out/texts", "Engine:Sessions=1")
        assert done.returncode == 74, done.stderr
        assert "No space left on device" in done.stderr
        assert "hint: make room on that file system, then run the command again" in done.stderr
        (disk / "filler").unlink()
        assert run(site, tones, "in", "--out", disk / "out/texts").returncode == 0
    assert counted(site) == 4


@pytest.mark.slow
def test_a_usage_log_that_cannot_be_written_writes_no_transcript(
    new_site: Sites, tones: Path, tmp_path: Path
) -> None:
    require_mounts()
    site = new_site()
    put(site.home / "in", a__wav=said("go"), b__wav=talk(2_000))
    with tmpfs(site.output, megabytes=16):
        process, log = start(site, tones, "in", "--out", "out", "Engine:Sessions=1")
        until(process, (site.home / "out/a.txt").exists)
        fill(site.output / "filler")
        assert process.wait(120) == 74, log.read_text()
    assert "error: " in log.read_text()
    assert files(site.home / "out") == {"a.txt": "Go.\n"}


def test_two_commands_do_not_write_into_one_directory(new_site: Sites, tones: Path) -> None:
    one, two = new_site("one"), new_site("two")
    put(one.home / "in", a__wav=talk(7_000))
    process, _ = start(one, tones, "in", "--out", "out")
    until(process, (one.home / "out/.transcribe/lock").exists)
    done = run(two, tones, one.home / "in", "--out", one.home / "out")
    assert done.returncode == 75
    assert "error: another process transcribes into " in done.stderr
    process.send_signal(signal.SIGINT)
    process.wait(30)


def test_a_terminal_is_shown_a_line_that_moves_and_names_are_harmless(new_site: Sites, tones: Path) -> None:
    import subprocess
    import sys

    site = new_site()
    put(site.home / "in", **{"a\x1b[31m__wav": said("go"), "b__wav": talk(120)})
    command = [sys.executable, "-m", "tests.support.on_a_terminal", "appliance"]
    typed = words(site, tones, site.home / "in", "--out", site.home / "out")
    environ = {**clean_environ(), "TERM": "xterm"}
    shown = subprocess.run([*command, *typed], capture_output=True, check=True, env=environ, cwd=ROOT).stdout
    assert b"under way" in shown
    assert b"\r\x1b[K" in shown
    assert b"[31m" not in shown.replace(b"?[31m", b"")


def test_as_many_are_heard_at_once_as_the_engine_has_threads(new_site: Sites, tones: Path) -> None:
    site = new_site()
    put(site.home / "in", **{f"r{number}__wav": talk(7_000) for number in range(4)})
    process, log = start(site, tones, "in", "--out", "out", "Engine:Sessions=3")
    until(process, (site.home / "out/.transcribe/lock").exists)
    time.sleep(2)
    process.send_signal(signal.SIGINT)
    process.wait(30)
    assert "4 recordings: 3 interrupted, 1 not begun;" in log.read_text()


def test_a_pipe_that_closes_ends_it_without_noise(new_site: Sites, tones: Path) -> None:
    site = new_site()
    put(site.home / "in", a__wav=wav(SPOKEN))
    reading, writing = os.pipe()
    os.close(reading)
    log = site.home / "log"
    with log.open("wb") as output, os.fdopen(writing, "wb") as closed:
        process = ForkedProcess(
            "appliance",
            words(site, tones, "in/a.wav", "--out", "-"),
            environ=clean_environ(),
            stdout=closed,
            stderr=output,
            directory=site.home,
        )
    assert process.wait(60) == 141
    assert "Traceback" not in log.read_text()


def facts(site: Site) -> dict[str, Any]:
    (note,) = (site.home / "out/.transcribe").glob("*.json")
    found: dict[str, Any] = json.loads(note.read_text())
    return found


def test_what_is_kept_beside_a_transcript_names_its_usage_record(new_site: Sites, tones: Path) -> None:
    site = new_site()
    put(site.home / "in", a__wav=said("go"))
    run(site, tones, "in", "--out", "out")
    known = facts(site)
    assert known["seconds"] == 2
    assert known["record"].startswith("offline-appliance/speechtotext/")
    assert known["source"]["bytes"] == (site.home / "in/a.wav").stat().st_size
    assert "go" not in json.dumps({**known, "source": {**known["source"], "model": 0}}).lower().split('"')
