"""From a folder or ZIP archive to a staged model folder: known names, plain files, within limits.

Nothing of the source decides where a file is written: names are compared with the few that a model folder
has, and everything else stays where it is. No Python object is ever loaded from a file.
"""

import stat
import zipfile  # for the type of a member alone; `zip_reader` reads
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import IO, Final

from appliance.errors import ModelError
from appliance.models.folder_reader import MANIFEST, MAX_CONFIG_BYTES, MAX_MANIFEST_BYTES, MAX_MODEL_BYTES
from appliance.ner.model_folder import (
    COMPONENTS,
    CONFIG,
    MAX_COMPONENTS_BYTES,
    MAX_TOKENIZER_BYTES,
    MODEL,
    TOKENIZER,
)
from appliance.onnx_tools.inspect import MalformedGraphError, read_graph
from appliance.registry.external_data import merge_external_data
from appliance.registry.unsupported import EXPORT_HINT, parse_config, refuse_by_config, refuse_by_name
from license.encoding.zip_reader import ZipReader, open_zip
from license.errors import Unreadable, UnreadableArchive
from license.files import require_room

MAX_TEXT_BYTES: Final = 2**20
MAX_MEMBERS: Final = 1_000
_FREE_BYTES: Final = 64 * 2**20
_LIMITS: Final = {
    MODEL: MAX_MODEL_BYTES,
    TOKENIZER: MAX_TOKENIZER_BYTES,
    CONFIG: MAX_CONFIG_BYTES,
    MANIFEST: MAX_MANIFEST_BYTES,
    COMPONENTS: MAX_COMPONENTS_BYTES,
}
_TEXTS: Final = frozenset({"readme.md", "model_card.md", "license", "license.txt", "license.md", "notice"})
_PICKLED: Final = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib", ".npy", ".npz")
_WEIGHTS: Final = (".safetensors", ".h5", ".msgpack", ".gguf", ".tflite")
_SLOW_TOKENIZERS: Final = frozenset(
    {"vocab.txt", "vocab.json", "merges.txt", "spm.model", "spiece.model", "sentencepiece.bpe.model"}
)
_ODD: Final = frozenset("\\:\0")
_CHUNK: Final = 1 << 20
_PART: Final = ".external-data.part"
_NESTED: Final = 4  # folders that hold one folder and nothing else, before the model's own


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What was copied, and what was left where it was."""

    names: tuple[str, ...]
    left_out: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Member:
    """One file of a source: its place below the root, its size as announced, and how to open it."""

    place: PurePosixPath
    size: int
    path: Path | None = None
    entry: zipfile.ZipInfo | None = None


def import_model(source: Path, into: Path) -> Imported:
    """Copy the files of a model from a folder or a ZIP archive into the empty folder `into`.

    Args:
        source: A folder as Optimum, transformers or this software wrote it, or a ZIP archive of one.
        into: An existing, empty folder.

    Raises:
        ModelError: The source is not a model folder, or holds what is refused; the message says what.
        NoRoom: The disk is too full for it.
    """
    if source.is_dir():
        root = _model_root(source)
        return _copy(list(_folder_members(root)), into, None, str(source))
    if not source.is_file():
        raise ModelError(f"there is no folder or file {source}")
    try:
        with open_zip(source, max_files=MAX_MEMBERS, free_bytes=_FREE_BYTES) as archive:
            return _copy(_archive_members(archive, source), into, archive, str(source))
    except UnreadableArchive as error:
        raise ModelError(
            f"{source} cannot be unpacked as the archive of a model folder: {error.message}",
            hint="give a folder, a .zip of it, or an encrypted package (.age)",
        ) from error
    except (Unreadable, OSError) as error:
        raise ModelError(f"{source} cannot be unpacked: {error}") from error


def _model_root(folder: Path) -> Path:
    """Return the folder that holds the files: those around it hold one folder and nothing else."""
    for _ in range(_NESTED):
        inside = [path for path in folder.iterdir() if not _is_litter(PurePosixPath(path.name))]
        if len(inside) != 1 or inside[0].is_symlink() or not inside[0].is_dir():
            break
        folder = inside[0]
    return folder


def _folder_members(root: Path) -> Iterator[_Member]:
    """Yield the files of a folder and of its folder `onnx`; a link among them is refused."""
    for folder in (root, root / "onnx"):
        if folder.is_symlink() and folder != root:
            raise ModelError(f"{folder} is a symbolic link, which is refused")
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            facts = path.lstat()
            place = PurePosixPath(path.relative_to(root))
            if stat.S_ISLNK(facts.st_mode) and _wanted(place):
                raise ModelError(
                    f"{place} in {root} is a symbolic link, which is refused: it could show any file",
                    hint="copy the files themselves: cp -rL FOLDER COPY",
                )
            if stat.S_ISREG(facts.st_mode):
                yield _Member(place=place, size=facts.st_size, path=path)
            elif _wanted(place):
                raise ModelError(f"{place} in {root} is not a plain file")


def _archive_members(archive: ZipReader, source: Path) -> list[_Member]:
    """Return the files of an archive; any name that leaves it, or any link, refuses all of it."""
    members: list[_Member] = []
    seen: set[PurePosixPath] = set()
    for entry in archive.entries:
        place = PurePosixPath(entry.filename)
        _check_entry(entry, place, source)
        if entry.is_dir():
            continue
        if place in seen:
            raise ModelError(f"{source} holds {place} twice: two readers could take different ones")
        seen.add(place)
        members.append(_Member(place=place, size=entry.file_size, entry=entry))
    members = [member for member in members if not _is_litter(member.place)]
    for _ in range(_NESTED):
        tops = {member.place.parts[0] for member in members}
        if len(tops) != 1 or any(len(member.place.parts) == 1 for member in members):
            break
        members = [replace(one, place=PurePosixPath(*one.place.parts[1:])) for one in members]
    return members


def _check_entry(entry: zipfile.ZipInfo, place: PurePosixPath, source: Path) -> None:
    name = entry.orig_filename
    if (
        place.is_absolute()
        or ".." in place.parts
        or "\\" in name
        or ":" in name
        or "\0" in name
        or not place.parts
    ):
        raise ModelError(f"{source} holds the name {name[:80]!r}, which leads out of its folder")
    mode = entry.external_attr >> 16
    if mode and not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_IFMT(mode) == 0):
        raise ModelError(f"{source} holds {place}, which is a link or a device and not a plain file")


def _is_litter(place: PurePosixPath) -> bool:
    """Whether a file is no part of what was packed: a Mac adds such to every ZIP."""
    return place.parts[0] == "__MACOSX" or place.name.startswith("._") or place.name == ".DS_Store"


def _wanted(place: PurePosixPath) -> bool:
    return (place.name in _LIMITS and len(place.parts) == 1) or _is_graph(place) or _is_data(place)


def _is_graph(place: PurePosixPath) -> bool:
    return place.suffix == ".onnx" and _is_near(place)


def _is_data(place: PurePosixPath) -> bool:
    """Whether a file may be the external data of a graph."""
    return (".onnx" in place.name or place.suffix == ".data") and _is_near(place)


def _is_near(place: PurePosixPath) -> bool:
    return len(place.parts) == 1 or place.parts[:-1] == ("onnx",)


def _only_graph(members: Sequence[_Member]) -> _Member | None:
    """The graph of a folder that has one, whatever it is called: Optimum writes `model_quantized.onnx`."""
    graphs = [member for member in members if _is_graph(member.place)]
    return graphs[0] if len(graphs) == 1 else None


def _copy(members: Sequence[_Member], into: Path, archive: ZipReader | None, source: str) -> Imported:
    refuse_by_name([member.place for member in members], source)
    by_place = {str(member.place): member for member in members}
    chosen: dict[str, _Member] = {}
    for name in _LIMITS:
        member = by_place.get(name)
        if member is None and name == MODEL:
            member = by_place.get(f"onnx/{name}") or _only_graph(members)
        if member is not None:
            chosen[name] = member
    _require(chosen, members, source)
    for name, member in by_place.items():
        if name.lower() in _TEXTS and member.size <= MAX_TEXT_BYTES:
            chosen[name] = member
    for name, member in chosen.items():
        limit = _LIMITS.get(name, MAX_TEXT_BYTES)
        if member.size > limit:
            raise ModelError(f"{member.place} in {source} has {member.size} bytes; at most {limit} are read")
    require_room(into.parent, sum(member.size for member in chosen.values()), f"the model {source}")
    for name, member in chosen.items():
        _copy_one(member, into / name, _LIMITS.get(name, MAX_TEXT_BYTES), archive, source)
    refuse_by_config(parse_config((into / CONFIG).read_bytes()), source)
    copied = {member.place for member in chosen.values()}
    copied |= _merge(into / MODEL, chosen[MODEL].place, members, archive, source)
    return Imported(
        names=tuple(chosen),
        left_out=tuple(str(member.place) for member in members if member.place not in copied),
    )


def _merge(
    graph: Path, place: PurePosixPath, members: Sequence[_Member], archive: ZipReader | None, source: str
) -> set[PurePosixPath]:
    """Put weights that lie beside a graph into it; return the files that they came from."""
    data = graph.read_bytes()
    try:
        if not read_graph(data).external_data:
            return set()
    except MalformedGraphError:
        return set()  # who opens the folder says what is wrong
    near = {member.place.name: member for member in members if member.place.parent == place.parent}
    used: set[PurePosixPath] = set()

    def read(name: str) -> bytes:
        used.add(near[name].place)
        _copy_one(near[name], graph.with_name(_PART), MAX_MODEL_BYTES, archive, source)
        part = graph.with_name(_PART).read_bytes()
        graph.with_name(_PART).unlink()
        return part

    sizes = {name: member.size for name, member in near.items() if name not in _LIMITS}
    graph.write_bytes(merge_external_data(data, sizes, read))
    return used


def _copy_one(member: _Member, target: Path, limit: int, archive: ZipReader | None, source: str) -> None:
    opened: IO[bytes]
    if archive is not None and member.entry is not None:
        opened = archive.open(member.entry)
    elif member.path is not None:
        opened = member.path.open("rb")
    copied = 0
    try:
        with opened, target.open("xb") as out:
            while chunk := opened.read(_CHUNK):
                copied += len(chunk)
                if copied > limit:
                    raise ModelError(f"{member.place} in {source} has more than {limit} bytes")
                out.write(chunk)
    except OSError as error:
        raise ModelError(f"{member.place} in {source} cannot be copied: {error.strerror or error}") from error
    target.chmod(0o644)


def _require(chosen: dict[str, _Member], members: Sequence[_Member], source: str) -> None:
    """Say plainly what a folder lacks, and how its owner gets it."""
    names = [member.place.name for member in members]
    if MODEL not in chosen:
        others = [name for name in names if name.endswith(".onnx")]
        if others:
            raise ModelError(
                f"{source} holds {', '.join(others[:5])}, but no {MODEL}",
                hint=f"keep the one that is to be served, or call it {MODEL}",
            )
        pickled = next((name for name in names if name.lower().endswith(_PICKLED)), None)
        if pickled:
            raise ModelError(
                f"{source} holds {pickled}, a format that runs code when it is read; it is never opened here",
                hint=EXPORT_HINT,
            )
        weights = next((name for name in names if name.lower().endswith(_WEIGHTS)), None)
        if weights:
            raise ModelError(f"{source} holds weights ({weights}) but no ONNX graph", hint=EXPORT_HINT)
        raise ModelError(f"{source} holds no {MODEL}", hint=EXPORT_HINT)
    if TOKENIZER not in chosen:
        slow = next((name for name in names if name in _SLOW_TOKENIZERS), None)
        raise ModelError(
            f"{source} has its tokenizer as {slow}; {TOKENIZER} is needed"
            if slow
            else f"{source} holds no {TOKENIZER}",
            hint="write it where transformers is installed: "
            "AutoTokenizer.from_pretrained(DIR, use_fast=True).save_pretrained(DIR)",
        )
    if CONFIG not in chosen:
        raise ModelError(f"{source} holds no {CONFIG}, so its labels have no names", hint=EXPORT_HINT)
