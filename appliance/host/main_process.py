"""The words that the service of this container was started with, for commands that are run beside it.

`docker exec … appliance doctor` and a health check see the environment of the container, and not the words
after the name of the image. Those are the arguments of its first process, or of the child of a small init
(`--init`).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

_PROGRAM: Final = "appliance"


def words_beside(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return the words of the service that runs in this container; nothing outside of an image.

    Args:
        environ: Environment of the process; an image names itself there.
    """
    return served_words() if environ.get("Image__Name") else ()


def served_words(proc: Path = Path("/proc")) -> tuple[str, ...]:
    """Return what follows `appliance` or `appliance serve` in the service's command line; empty without it.

    Args:
        proc: Where `proc` is mounted; another place in tests.
    """
    try:
        numbers = sorted(int(path.name) for path in proc.iterdir() if path.name.isdecimal())
    except OSError:
        return ()
    for number in numbers:
        words = _command_line(proc / str(number) / "cmdline")
        place = next((place for place, word in enumerate(words) if Path(word).name == _PROGRAM), None)
        if place is None:
            continue
        rest = words[place + 1 :]
        if rest[:1] == ["serve"]:
            return tuple(_without_roots(rest[1:]))
        if not rest or "=" in rest[0] or rest[0].startswith(("-", "/")):
            return tuple(_without_roots(rest))
    return ()


def _command_line(file: Path) -> list[str]:
    try:
        return file.read_bytes().decode("utf-8", "replace").split("\0")[:-1]
    except OSError:
        return []


def _without_roots(words: list[str]) -> list[str]:
    """Leave out the one option of `serve` that is not a setting."""
    kept, skip = [], False
    for word in words:
        if skip or word.startswith("--roots="):
            skip = False
        elif word == "--roots":
            skip = True
        else:
            kept.append(word)
    return kept
