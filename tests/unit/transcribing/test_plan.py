"""Which recordings are meant, and where their transcripts go."""

import os
from pathlib import Path, PurePath

import pytest

from appliance.transcribing.plan import Recording, collision, plan


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def outputs(*paths: Path, kind: str = "srt") -> dict[str, str]:
    return {path.path.name: str(path.output) for path in plan(paths, kind).recordings}


def test_a_file_goes_by_its_name_whatever_that_is(tmp_path: Path) -> None:
    touch(tmp_path / "call.WAV", tmp_path / "noname", tmp_path / "v1.2.flac", tmp_path / ".hidden")
    assert outputs(*sorted(tmp_path.iterdir())) == {
        ".hidden": ".hidden.srt",
        "call.WAV": "call.srt",
        "noname": "noname.srt",
        "v1.2.flac": "v1.2.srt",
    }


def test_a_directory_keeps_its_paths_and_leaves_out_what_is_no_recording(tmp_path: Path) -> None:
    touch(
        *(
            tmp_path / name
            for name in ("b.wav", "a.Opus", "deep/er/c.mp3", "notes.txt", "film.mp4", "README")
        ),
        *(tmp_path / name for name in (".secret.wav", ".trash/d.wav", "deep/list.txt")),
    )
    planned = plan([tmp_path], "txt")
    assert [str(one.output) for one in planned.recordings] == ["a.txt", "b.txt", str(Path("deep/er/c.txt"))]
    assert dict(planned.passed) == {".txt": 2, ".mp4": 1, "": 1}


def test_a_recording_that_is_named_twice_is_taken_once(tmp_path: Path) -> None:
    touch(tmp_path / "calls/a.wav", tmp_path / "calls/sub/b.wav")
    (tmp_path / "calls/same.wav").symlink_to("a.wav")
    again = (tmp_path / "calls", tmp_path / "calls/a.wav", tmp_path / "calls/sub", tmp_path / "calls")
    assert [one.path.name for one in plan(again, "txt").recordings] == ["a.wav", "b.wav"]


def test_links_to_directories_are_not_followed(tmp_path: Path) -> None:
    touch(tmp_path / "calls/a.wav")
    (tmp_path / "calls/round").symlink_to(tmp_path / "calls")
    assert len(plan([tmp_path / "calls"], "txt").recordings) == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every directory")
def test_a_directory_that_cannot_be_read_is_no_empty_one(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0)
    with pytest.raises(PermissionError):
        plan([tmp_path], "txt")


@pytest.mark.parametrize(
    ("one", "two"), [("a.wav", "a.mp3"), ("a.wav", "A.wav"), ("deep/a.wav", "deep/a.flac")]
)
def test_two_recordings_for_one_transcript_are_both_named(tmp_path: Path, one: str, two: str) -> None:
    touch(tmp_path / one, tmp_path / two)
    both = collision(plan([tmp_path], "txt").recordings)
    assert both is not None
    assert {found.path for found in both} == {tmp_path / one, tmp_path / two}


def test_equal_names_in_two_directories_collide_only_where_the_directories_are_named(tmp_path: Path) -> None:
    touch(tmp_path / "one/a.wav", tmp_path / "two/a.wav")
    assert collision(plan([tmp_path], "txt").recordings) is None
    assert collision(plan([tmp_path / "one", tmp_path / "two"], "txt").recordings) is not None


def test_one_recording_does_not_collide_with_itself() -> None:
    assert collision([Recording(path=Path("a.wav"), output=PurePath("a.txt"))]) is None
