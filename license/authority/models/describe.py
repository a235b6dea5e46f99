"""What a model folder says of itself, as far as a package has to know it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from license.encoding.fields import LANGUAGE
from license.errors import Malformed, Unreadable
from license.files import read_limited

MODEL_FILE: Final = "model.json"
_MAX_BYTES: Final = 65_536
_FORMAT: Final = "docs/models.md says what it holds"


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What a manifest says beside sums.

    Attributes:
        release: Release of the line.
        task: What the model does.
        name: Name for people.
        language: BCP 47 tag of the language it is for, or the empty string.
    """

    release: str
    task: str
    name: str
    language: str = ""


def describe(model_dir: Path, *, line: str, release: str | None, task: str | None, name: str | None) -> About:
    """Return what was said, or else what the folder's `model.json` says.

    Raises:
        Unreadable: there is no such folder.
        Malformed: something is said nowhere; or `model.json` cannot be read, or says another line or release.
    """
    model = _read(model_dir)
    if model.get("line") not in (None, line):
        raise Malformed(
            f"{model_dir / MODEL_FILE} says that the model belongs to line {model['line']}, not {line}",
            hint="an appliance would show the one and ask for the other: correct the file or --line",
        )
    if release is not None and model.get("release") not in (None, release):
        raise Malformed(
            f"{model_dir / MODEL_FILE} says release {model['release']}, not {release}",
            hint="correct the file, or leave --release out",
        )
    release = release or model.get("release")
    task = task or model.get("task")
    if not release or not task:
        raise Malformed(
            f"neither {MODEL_FILE} nor an option says the {'task' if release else 'release'}",
            hint="add --release and --task, such as --release 1.0.0 --task ner",
        )
    language = model.get("language", "")
    return About(
        release=release,
        task=task,
        name=name or model.get("name") or line.partition("/")[0],
        language=language if LANGUAGE.fullmatch(language) else "",
    )


def _read(model_dir: Path) -> dict[str, str]:
    path = model_dir / MODEL_FILE
    if not model_dir.is_dir():
        raise Unreadable(f"there is no model folder {model_dir}", hint="name the folder that holds the model")
    if not path.exists():
        return {}
    try:
        model: Any = json.loads(read_limited(path, _MAX_BYTES))
    except (ValueError, RecursionError) as error:
        raise Malformed(
            f"{path} is not JSON: {error}", hint="see docs/models.md for what it holds"
        ) from error
    if not isinstance(model, dict):
        raise Malformed(f"{path} is not a JSON object", hint=_FORMAT)
    known = ("line", "release", "task", "name", "language")
    return {key: model[key] for key in known if isinstance(model.get(key), str)}
