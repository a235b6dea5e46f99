"""`model.json` of a text model: written from what a checked folder says, with the sums of its files."""

import hashlib
import json
from pathlib import Path
from typing import Any, Final

from appliance.datasets.components.components import Components
from appliance.models.folder_reader import MANIFEST
from appliance.ner.model_folder import COMPONENTS, CONFIG, MODEL, TOKENIZER, ModelFolder
from license.files import write_atomic

_HASHED: Final = (MODEL, TOKENIZER, CONFIG)


def describe(folder: ModelFolder, **changes: Any) -> dict[str, Any]:
    """Return `model.json` of a checked folder; `changes` replace or add fields."""
    manifest: dict[str, Any] = {
        "format": 1,
        "task": "ner",
        "name": folder.name,
        "line": folder.line,
        "release": folder.release,
        "language": folder.language,
        **({"languages": list(folder.languages)} if folder.languages else {}),
        "description": folder.description,
        "weights_license": folder.weights_license,
        "meters": list(folder.meters),
        "inputs": {"token_type_ids": "case-class" if folder.case_classes else "zeros"},
        "decoding": {
            "scheme": folder.scheme,
            "aggregation": "first",
            "words": folder.words,
            **({"borders": True} if folder.borders else {}),
        },
        "limits": {"window_tokens": folder.window_tokens, "overlap_tokens": folder.overlap_tokens},
        "batch_invariant": folder.batch_invariant,
        "files": dict(folder.digests),
    }
    return manifest | changes


def write_components(path: Path, components: Components, manifest: dict[str, Any]) -> dict[str, Any]:
    """Write `components.json` if there is anything to write; return the `model.json` that names it."""
    if not components:
        return manifest
    text = json.dumps(components.to_object(), indent=2, ensure_ascii=False) + "\n"
    write_atomic(path / COMPONENTS, text.encode("utf-8", "surrogatepass"), mode=0o644)
    return {**manifest, "files": {**manifest["files"], COMPONENTS: ""}}


def write_manifest(path: Path, manifest: dict[str, Any]) -> None:
    """Write `model.json` into a folder, with the SHA-256 of the files that lie there now."""
    hashed = (*_HASHED, COMPONENTS) if COMPONENTS in manifest["files"] else _HASHED
    files = {name: digest(path / name) for name in hashed}
    text = json.dumps({**manifest, "files": files}, indent=2, ensure_ascii=False) + "\n"
    write_atomic(path / MANIFEST, text.encode(), mode=0o644)


def digest(path: Path) -> str:
    """Return the SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
