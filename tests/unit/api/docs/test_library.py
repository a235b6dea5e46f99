"""The pages that come with the program: all of them, by exact names, and none of their links is broken."""

import re
import threading
from pathlib import Path

from appliance.api.docs.library import Library, places
from tests.support.paths import ROOT


def test_the_pages_are_those_of_the_repository() -> None:
    library = Library(places())
    names = {entry.name for entry in library.entries()}
    assert names == {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    assert library.entries()[0].name == "README.md"
    for entry in library.entries():
        page = library.page(entry.name)
        assert page is not None
        assert entry.title == page.title, "the list calls a page as the page calls itself"
        assert entry.title != entry.name


def test_every_link_below_docs_leads_to_a_page_and_its_anchor() -> None:
    library = Library(places())
    broken = []
    for entry in library.entries():
        page = library.page(entry.name)
        assert page is not None
        for link in re.findall(r'(?:href|src)="([^"]*)"', page.html):
            path, _, anchor = link.partition("#")
            if "://" in link:
                continue
            name = path.removeprefix("/docs/") or entry.name
            target = library.page(name)
            if library.path(name) is None or (
                anchor and (target is None or f'id="{anchor}"' not in target.html)
            ):
                broken.append(f"{entry.name}: {link}")
    assert broken == []


def test_each_code_on_the_page_of_errors_is_found_first() -> None:
    library = Library(places())
    codes = re.findall(r"^\| `([A-Z]\w+)` \|", (ROOT / "docs" / "errors.md").read_text(), re.MULTILINE)
    assert len(codes) > 60
    for code in codes:
        assert library.search(code)[0].passage.anchor.startswith(f"code-{code}"), code


def test_a_name_that_leads_elsewhere_is_no_page(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "README.md").write_text("# Index\n")
    (tmp_path / "secret.md").write_text("# Secret\n")
    library = Library([tmp_path / "nowhere", tmp_path / "docs"])
    for name in ("../secret.md", "/etc/passwd", "README.md/", "readme.md", "./README.md", ""):
        assert library.page(name) is None, name
        assert library.path(name) is None, name
    assert library.page("README.md") is not None


def test_a_title_is_listed_without_its_marks(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("text before\n\n# The `serve` *command* and [its page](x.md)\n")
    assert [entry.title for entry in Library([tmp_path]).entries()] == ["The serve command and its page"]


def test_a_search_that_was_prepared_finds_all_pages_ready(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("# Index\n")
    (tmp_path / "other.md").write_text("# Other\n\nneedle\n")
    library = Library([tmp_path])
    for _ in range(2):
        library.prepare_search()
    (preparing,) = [one for one in threading.enumerate() if one.name == "docs"]
    preparing.join()
    (tmp_path / "other.md").unlink()  # what is rendered is not read again
    assert [hit.page for hit in library.search("needle")] == ["other.md"]


def test_without_the_files_there_are_no_pages(tmp_path: Path) -> None:
    library = Library([tmp_path])
    assert library.entries() == []
    assert library.search("licence") == []
