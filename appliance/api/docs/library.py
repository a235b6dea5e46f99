"""The pages of the documentation: where they lie, how one is rendered, and what is found in them."""

import re
import sys
import sysconfig
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from appliance.api.docs.rendering import Rendered, render
from appliance.api.docs.search import Hit, Passage, find

INDEX: Final = "README.md"
_SHARE: Final = "share/offline-appliance/docs"
_MOST_BYTES: Final = 4 << 20
_MOST_FILES: Final = 1_000
_PAUSE_SECONDS: Final = 0.01
_TITLE: Final = re.compile(r"^# (.+?)\s*$", re.MULTILINE)
_MARKS: Final = re.compile(r"[*`]|\[([^\]]*)\]\([^)]*\)")


def places() -> list[Path]:
    """Return where the pages may lie: in the checkout, and where the bundle or pip puts them."""
    schemes = (sysconfig.get_default_scheme(), sysconfig.get_preferred_scheme("user"))
    return [
        Path(__file__).parents[3] / "docs",
        Path(sys.prefix).parent / "share" / "docs",
        *(Path(sysconfig.get_path("data", scheme)) / _SHARE for scheme in schemes),
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A page in the list of pages."""

    name: str
    title: str


class Library:
    """The files below a directory, by their names from there; only those that exist when it is first asked.

    Args:
        directories: Looked at in turn; the first that has an index is taken.
    """

    def __init__(self, directories: list[Path]) -> None:
        self._directories = directories
        self._lock = threading.Lock()
        self._files: dict[str, Path] | None = None
        self._rendered: dict[str, Rendered] = {}
        self._entries: list[Entry] = []
        self._preparing: threading.Thread | None = None

    def path(self, name: str) -> Path | None:
        """Return the file of that very name; None without one."""
        return self._known().get(name)

    def page(self, name: str) -> Rendered | None:
        """Return a page as HTML, rendered once; None without one of that name."""
        path = self._known().get(name)
        if path is None or path.suffix != ".md":
            return None
        if name not in self._rendered:
            self._rendered[name] = render(path.read_text("utf-8"), name=name, known=self._known().keys())
        return self._rendered[name]

    def entries(self) -> list[Entry]:
        """Return every page with its title: the index first, then the others by folder and name.

        Titles are looked up in the Markdown: who opens one page does not wait until all are rendered.
        """
        if not self._entries:
            names = sorted((name for name in self._known() if name.endswith(".md")), key=_order)
            self._entries = [Entry(name=name, title=_title(self._known()[name]) or name) for name in names]
        return self._entries

    def search(self, words: str) -> list[Hit]:
        """Return the passages that hold all of some words, the best first."""
        passages: list[tuple[str, Passage]] = []
        for entry in self.entries():
            page = self.page(entry.name)
            passages += [(entry.name, passage) for passage in (page.passages if page is not None else ())]
        return find(words, passages)

    def prepare_search(self) -> None:
        """Render what is not rendered yet, on a thread and with pauses: who reads a page may search next.

        Answers to callers come first: each page takes some milliseconds of this process.
        """
        if self._preparing is None:
            self._preparing = threading.Thread(target=self._prepare, name="docs", daemon=True)
            self._preparing.start()

    def _prepare(self) -> None:
        for entry in self.entries():
            self.page(entry.name)
            time.sleep(_PAUSE_SECONDS)

    def _known(self) -> dict[str, Path]:
        with self._lock:
            if self._files is None:
                self._files = next((found for found in map(_files, self._directories) if INDEX in found), {})
            return self._files


def _files(directory: Path) -> dict[str, Path]:
    try:
        found = sorted(path for path in directory.rglob("*") if path.is_file())[:_MOST_FILES]
        return {
            path.relative_to(directory).as_posix(): path
            for path in found
            if path.stat().st_size <= _MOST_BYTES
        }
    except OSError:
        return {}


def _title(path: Path) -> str:
    """Return the first heading of a page without its marks."""
    found = _TITLE.search(path.read_text("utf-8"))
    return _MARKS.sub(r"\1", found[1]) if found else ""


def _order(name: str) -> tuple[bool, int, str]:
    return name != INDEX, name.count("/"), name
