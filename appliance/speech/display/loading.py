"""Display models beside a speech model: which are there, which were chosen, and how each is read.

In a plain folder they lie in folders of their own, `punct`, `rescore`, `resegment` and `wfstitn`; among
packages they are packages with their tasks. Each has a `model.json`.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from appliance.errors import ModelError
from appliance.models.files import LOOK, Files, InMemory, OnDisk
from appliance.models.folder_reader import (
    MANIFEST,
    MAX_CONFIG_BYTES,
    MAX_MANIFEST_BYTES,
    MAX_MODEL_BYTES,
    Fields,
    check_digests,
    read_facts,
    read_json,
)
from appliance.models.packages import Kind, ModelKeys, find_packages, open_any
from appliance.speech.display.pipeline import Forms, Pauses
from appliance.speech.display.punctuation import Punctuator
from appliance.speech.display.rescoring import WordModel
from appliance.speech.display.rewriting import Rules
from appliance.speech.model.folder import DISPLAY_TASKS, TASKS
from license.errors import LicenseError
from license.models.package import PackageFiles

_log = logging.getLogger("appliance.speech.forms.load")

RULES: Final = "rules.tsv"
ARPA: Final = "lm.arpa"
MAX_LIST_BYTES: Final = 64 * 2**20
_CHECKED: Final = frozenset({RULES, ARPA, "model.onnx", "tokenizer.json", "config.json"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Display:
    """One display model that was found: its name and what it loaded."""

    name: str
    loaded: Any


def load_forms(place: Path, keys: ModelKeys, chosen: Sequence[str] = (), *, rate: int = 16_000) -> Forms:
    """Load the display models beside a speech model.

    Args:
        place: The speech model's folder, directory of packages, or package.
        keys: What opens packages.
        chosen: Types that are to be used; all that are there without one.
        rate: Samples a second that words are counted in.

    Raises:
        ModelError, LicenseError: One that is there and wanted cannot be used.
    """
    found = {}
    for kind in chosen or DISPLAY_TASKS:
        model = _find(place, keys, kind)
        if model is not None:
            found[kind] = model
            _log.info("display model %s: %s", kind, model.name)
        elif kind in chosen:
            _log.warning(
                "%s was asked for, but %s holds no such display model: the built-in form is used; "
                "DisplayLocale=… %s with Billing and ApiKey downloads one",
                *(kind, place, kind),
            )
    missing = [kind for kind in DISPLAY_TASKS if kind not in found]
    if missing:
        _log.info("no display model in use for %s: built-in forms", ", ".join(missing))
    loaded = {kind: model.loaded for kind, model in found.items()}
    return Forms(
        punctuator=loaded.get("Punct"),
        rescorer=loaded.get("Rescore"),
        pauses=loaded.get("Resegment"),
        rules=loaded.get("Wfstitn"),
        rate=rate,
        names=tuple((kind, model.name) for kind, model in found.items()),
    )


def display_kind(kind: str) -> Kind[Display]:
    """Return how folders and packages of a type of display models are read."""
    task = DISPLAY_TASKS[kind]
    return Kind(
        tasks=(task,),
        folder=lambda path: _read(OnDisk(path), kind),
        files=lambda content, path, _line, _release: _read(InMemory(path, content), kind),
        beside=(*TASKS, *(other for other in DISPLAY_TASKS.values() if other != task)),
    )


def _find(place: Path, keys: ModelKeys, kind: str) -> Display | None:
    wanted = display_kind(kind)
    packages = find_packages(place)
    if not packages:
        folder = place / kind.lower()
        return wanted.folder(folder) if folder.is_dir() else None
    there = any(_is_for(files, keys, (*wanted.tasks, *wanted.beside), wanted.tasks[0]) for files in packages)
    return open_any(place, keys, wanted) if there else None


def _is_for(files: PackageFiles, keys: ModelKeys, tasks: Sequence[str], task: str) -> bool:
    try:
        return keys.manifest(files, tasks).task == task
    except (LicenseError, ModelError):
        return False  # the speech model's own loading has said what is wrong


def _read(files: Files, kind: str) -> Display:
    manifest = read_json(files, MANIFEST, MAX_MANIFEST_BYTES)
    fields = Fields(manifest, f"{files.path}/{MANIFEST}")
    if fields.integer("format", 1, 2**31) != 1:
        raise ModelError(
            f"{files.path} is of a format this version does not know", hint="update the appliance"
        )
    if fields.text("task") != DISPLAY_TASKS[kind]:
        raise ModelError(
            f"{files.path} names task {fields.text('task')!r} instead of {DISPLAY_TASKS[kind]}", hint=LOOK
        )
    digests = {name: files.digest(name) for name in files.names() if name in _CHECKED}
    check_digests(fields.table("files", {}), digests)
    name = " ".join(filter(None, (fields.text("name", ""), fields.text("release", "")))) or str(files.path)
    return Display(name=name, loaded=_READERS[kind](files, fields))


def _punct(files: Files, _: Fields) -> Punctuator:
    labels = _labels(read_json(files, "config.json"), files.path)
    files.check("model.onnx", MAX_MODEL_BYTES)
    files.check("tokenizer.json", MAX_LIST_BYTES)
    read_facts(files, "model.onnx")
    with files.mapped("model.onnx") as model:
        data = bytes(model)
    return Punctuator(model=data, tokenizer=files.text("tokenizer.json").encode(), labels=labels)


def _labels(config: Mapping[str, Any], path: Path) -> list[str]:
    table = config.get("id2label")
    if not isinstance(table, dict) or sorted(table) != sorted(map(str, range(len(table)))):
        raise ModelError(f"config.json in {path} has no id2label as token classifiers have it", hint=LOOK)
    return [str(table[str(number)]) for number in range(len(table))]


def _rescore(files: Files, fields: Fields) -> WordModel:
    weights = Fields(fields.table("rescore", {}), f"{files.path}/{MANIFEST} rescore")
    return WordModel.read(
        _text(files, ARPA),
        f"{files.path}/{ARPA}",
        weight=weights.number("weight", 0.0, 10.0, 0.5),
        word=weights.number("word", -10.0, 10.0, 0.0),
    )


def _resegment(files: Files, fields: Fields) -> Pauses:
    said = Fields(fields.table("resegment", {}), f"{files.path}/{MANIFEST} resegment")
    return Pauses(
        seconds=said.number("pause_seconds", 0.05, 5.0, Pauses().seconds),
        words=said.integer("words", 1, 1_000, Pauses().words),
    )


def _wfstitn(files: Files, _: Fields) -> Rules:
    return Rules.read(_text(files, RULES), f"{files.path}/{RULES}")


def _text(files: Files, name: str) -> str:
    files.check(name, max(MAX_LIST_BYTES, MAX_CONFIG_BYTES))
    try:
        return files.text(name)
    except (OSError, ValueError) as error:
        raise ModelError(f"{name} in {files.path} cannot be read: {error}") from error


_READERS: Final[Mapping[str, Callable[[Files, Fields], Any]]] = {
    "Punct": _punct,
    "Rescore": _rescore,
    "Resegment": _resegment,
    "Wfstitn": _wfstitn,
}
