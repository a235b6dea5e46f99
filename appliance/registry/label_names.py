"""Names of a model's labels: what an export lacks is said, and given by the one who adds it."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from appliance.errors import ModelError
from appliance.models.files import OnDisk
from appliance.models.folder_reader import MANIFEST, MAX_CONFIG_BYTES, read_json
from appliance.ner.decoding import category_of, infer_scheme
from appliance.ner.model_folder import CONFIG
from license.errors import LicenseError
from license.files import read_limited

_UNNAMED: Final = re.compile(r"LABEL_\d+")
_ORDER: Final = "name them in the order of training: --labels O,B-Person,I-Person,…"


def read_label_names(given: str) -> tuple[str, ...]:
    """Return the names that an option gives: a list with commas, or a file with a name a line or JSON.

    JSON is a list, `id2label`, or an object that holds it.

    Raises:
        ModelError: The file cannot be read, or names nothing.
    """
    path = Path(given)
    if "," in given or not path.is_file():
        names = tuple(name.strip() for name in given.split(","))
    else:
        try:
            text = read_limited(path, MAX_CONFIG_BYTES).decode("utf-8-sig")
        except (LicenseError, UnicodeDecodeError) as error:
            raise ModelError(f"{path} cannot be read as a list of labels: {error}") from error
        names = _parse(text)
    if len(names) < 2 or not all(names):
        raise ModelError(f"--labels {given[:80]} names {len(names)} labels", hint=_ORDER)
    return names


def _parse(text: str) -> tuple[str, ...]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return tuple(line.strip() for line in text.splitlines() if line.strip())
    if isinstance(value, dict):
        table = value.get("id2label", value)
        value = [table.get(str(number)) for number in range(len(table))] if isinstance(table, dict) else []
    return tuple(name for name in value if isinstance(name, str)) if isinstance(value, list) else ()


def rename_labels(folder: Path, names: Sequence[str]) -> None:
    """Write the names of its labels into the configuration of a model folder.

    Raises:
        ModelError: It has another number of labels, cannot be read, or is of this software, which names them.
    """
    if (folder / MANIFEST).exists():
        raise ModelError("the labels of a model of this software have their names", hint="leave --labels out")
    config = read_json(OnDisk(folder), CONFIG)
    (folder / CONFIG).write_text(json.dumps(_named(config, names), ensure_ascii=False, indent=2))


def _named(config: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    table = config.get("id2label") or {}
    if table and len(table) != len(names):
        raise ModelError(f"--labels names {len(names)} labels, and the model has {len(table)}", hint=_ORDER)
    return {
        **config,
        "id2label": {str(number): name for number, name in enumerate(names)},
        "label2id": {name: number for number, name in enumerate(names)},
    }


def check_label_names(labels: Sequence[str]) -> None:
    """Refuse labels whose names say nothing, or differ in case alone.

    Raises:
        ModelError: They do; the hint says how to name them.
    """
    if all(_UNNAMED.fullmatch(label) for label in labels):
        raise ModelError(
            f"the model calls its labels {labels[0]} to {labels[-1]}, so its answers would say nothing",
            hint=_ORDER,
        )
    scheme = infer_scheme(labels)
    categories: dict[str, str] = {}
    for category in sorted({category_of(label, scheme) for label in labels} - {""}):
        other = categories.setdefault(category.casefold(), category)
        if other != category:
            raise ModelError(
                f"the model has the categories {other!r} and {category!r}, which differ in case alone",
                hint="give all labels the names they are to have, in the same order: --labels NAME,NAME,…",
            )
