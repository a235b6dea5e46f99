"""Names of tags that a file holds as numbers: from an option, or from what describes the data set."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from appliance.datasets.label_errors import DatasetError
from license.encoding.strict import load_json
from license.errors import LicenseError
from license.files import read_limited

_MAX_BYTES: Final = 2**20
_MAX_NAMES: Final = 10_000
_MAX_DEPTH: Final = 12


def numbered_tags(name: str) -> DatasetError:
    """Return the refusal of a file whose tags are numbers that nothing names."""
    return DatasetError(
        f"{name}: its tags are numbers, and nothing says what they mean",
        hint="name them in their order: add --labels O,B-PER,I-PER,B-LOC,I-LOC to the command",
    )


def name_of(tag: str, names: Sequence[str]) -> str:
    """Return the name of a tag by number; the tag itself where it has none."""
    known = tag.isascii() and tag.isdecimal() and int(tag[:9]) < len(names)
    return names[int(tag)] if known else tag


def read_names(said: str) -> tuple[str, ...]:
    """Return the names that an option lists, or the file that it names.

    A file is JSON (a list, `id2label`, or a description of `datasets` with ClassLabel) or a name a line.

    Raises:
        DatasetError: It names none.
    """
    if "," in said and not Path(said).exists():
        found: tuple[str, ...] = tuple(part.strip() for part in said.split(","))
    else:
        found = _from_file(Path(said))
    if not found or len(found) > _MAX_NAMES or not all(found):
        raise DatasetError(
            f"--labels {said[:60]} lists no names of tags", hint="say --labels O,B-PER,I-PER, in their order"
        )
    return found


def _from_file(path: Path) -> tuple[str, ...]:
    try:
        text = read_limited(path, _MAX_BYTES).decode("utf-8-sig")
    except LicenseError as error:
        raise DatasetError(error.message, hint="say --labels O,B-PER,I-PER, or name a file") from error
    except UnicodeDecodeError:
        raise DatasetError(f"{path} is not UTF-8", hint="save it as UTF-8") from None
    if text.lstrip().startswith(("[", "{")):
        try:
            return names_in(load_json(text))
        except (ValueError, RecursionError) as error:
            raise DatasetError(f"{path} is not JSON: {error}", hint="write a name a line") from None
    return tuple(line.strip() for line in text.splitlines() if line.strip())


def names_in(value: Any, depth: int = 0) -> tuple[str, ...]:
    """Return the names of tags that a description holds, wherever they stand in it; empty if none."""
    if depth > _MAX_DEPTH:
        return ()
    if isinstance(value, list) and value and all(isinstance(one, str) for one in value):
        return tuple(value) if depth == 0 else ()
    if isinstance(value, list):
        return next((found for one in value if (found := names_in(one, depth + 1))), ())
    if not isinstance(value, dict):
        return ()
    if found := _own_names(value):
        return found
    return next((found for one in value.values() if (found := names_in(one, depth + 1))), ())


def _own_names(value: dict[str, Any]) -> tuple[str, ...]:
    for key in ("names", "id2label"):
        names = value.get(key)
        if isinstance(names, dict):
            try:
                names = [names[str(number)] for number in range(len(names))]
            except KeyError:
                continue
        # A column of tags has one for the outside; another ClassLabel of the data set has not.
        if isinstance(names, list) and "O" in names and all(isinstance(one, str) for one in names):
            return tuple(names)
    return ()
