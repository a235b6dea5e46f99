"""The glossary: in order, every term used, and every page in the index."""

import re

import pytest

from tests.support.paths import ROOT

DOCS = ROOT / "docs"
GLOSSARY = (DOCS / "glossary.md").read_text("utf-8")
ENTRIES = re.findall(r"^\| \*\*([^*]+)\*\* \| ([^|]+) \| ([^|]+) \|$", GLOSSARY, re.MULTILINE)
ELSEWHERE = "\n".join(
    page.read_text("utf-8") for page in sorted(DOCS.rglob("*.md")) if page.name != "glossary.md"
).lower()


def test_the_glossary_has_the_terms_that_messages_and_formats_use() -> None:
    terms = [term for term, _, _ in ENTRIES]
    assert len(terms) == GLOSSARY.count("| **")
    assert terms == sorted(set(terms))
    assert {
        *("root", "issuer", "delegation", "head", "checkpoint", "witness", "cosignature", "receipt"),
        *("effective time", "used and billed", "text record", "lease", "meter", "plan", "overage"),
        *("binding", "bearer licence", "day key", "summary export", "full export", "opening"),
        *("inclusion proof", "claims", "package", "line", "window", "phrase"),
    } <= set(terms)


@pytest.mark.parametrize("term", [term for term, _, _ in ENTRIES])
def test_a_term_is_used_in_the_other_pages(term: str) -> None:
    for word in term.split(" and "):
        assert re.search(rf"\b{re.escape(word)}s?\b", ELSEWHERE), word


@pytest.mark.parametrize(("term", "meaning", "more"), ENTRIES, ids=[term for term, _, _ in ENTRIES])
def test_a_term_is_explained_in_short_sentences_and_leads_to_its_page(
    term: str, meaning: str, more: str
) -> None:
    assert max(len(sentence.split()) for sentence in re.split(r"[.;:] ", meaning)) <= 25
    assert re.fullmatch(r"\[[\w./-]+\]\([\w./-]+\.md(#[\w-]+)?\)", more)


def test_readme_and_index_link_the_glossary() -> None:
    assert "(docs/glossary.md)" in (ROOT / "README.md").read_text("utf-8")
    assert "(glossary.md)" in (DOCS / "README.md").read_text("utf-8")


def test_the_index_of_docs_has_every_page() -> None:
    index = (DOCS / "README.md").read_text("utf-8")
    pages = {str(page.relative_to(DOCS)) for page in DOCS.glob("*.md")} - {"README.md"}
    assert {page for page in pages if f"({page})" not in index} == set()
