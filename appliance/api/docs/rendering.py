"""A page of Markdown as HTML, with the anchors that GitHub gives headings, and its passages for the search.

The pages are this program's own, and raw HTML in them is shown as text all the same. Links between pages lead
below `/docs`; a link to a file that is not served there becomes its words.
"""

import posixpath
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.token import Token

from appliance.api.docs.search import Passage

ROOT: Final = "/docs/"
CODE: Final = "code-"
"""Before the anchor of a row whose first cell is one code, such as `code-OutOfQuota`."""
_NO_LETTERS: Final = re.compile(r"[^\w -]")
_CODE_NAME: Final = re.compile(r"[\w.:/-]{2,60}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """A page.

    Attributes:
        title: Its first heading.
        html: Its content.
        passages: What the search looks at.
    """

    title: str
    html: str
    passages: tuple[Passage, ...]


def render(text: str, *, name: str, known: Collection[str]) -> Rendered:
    """Render one page.

    Args:
        text: Its Markdown.
        name: Its name below the documentation's directory, such as `deploy/proxy.md`.
        known: Names of all files that are served.
    """
    tokens = _parser().parse(text)
    _anchor(tokens)
    _link(tokens, name, known)
    passages = tuple(_passages(tokens, name))
    tables = 0
    for at, token in enumerate(tokens):
        if token.type == "th_open" and not _plain(tokens[at + 1]).strip():
            token.tag = tokens[at + 2].tag = "td"  # a heading without words says nothing to who hears it
        if token.type == "table_open":
            tables += 1
            token.meta["number"] = tables
    html = _parser().renderer.render(tokens, _parser().options, {})
    return Rendered(title=passages[0].title if passages else name, html=html, passages=passages)


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    parser.add_render_rule("table_open", _table_open)
    parser.add_render_rule("table_close", _table_close)
    parser.add_render_rule("fence", _block)
    parser.add_render_rule("code_block", _block)
    return parser


def _table_open(_: object, tokens: Sequence[Token], at: int, *__: object) -> str:
    label = f"Table {tokens[at].meta['number']}"
    return f'<div class="scroll" tabindex="0" role="region" aria-label="{label}"><table>\n'


def _table_close(*_: object) -> str:
    return "</table></div>\n"


def _block(_: object, tokens: Sequence[Token], at: int, *__: object) -> str:
    return f'<pre tabindex="0"><code>{escapeHtml(tokens[at].content)}</code></pre>\n'


def slug(title: str) -> str:
    """Return the anchor that GitHub makes of a heading."""
    return _NO_LETTERS.sub("", title.lower()).replace(" ", "-")


def _anchor(tokens: Sequence[Token]) -> None:
    """Give an identifier to headings, each once, and to rows that begin with one code."""
    taken: set[str] = set()

    def once(anchor: str) -> str:
        found, n = anchor, 1
        while found in taken:
            found, n = f"{anchor}-{n}", n + 1
        taken.add(found)
        return found

    row: Token | None = None
    for at, token in enumerate(tokens):
        if token.type == "heading_open":
            token.attrSet("id", once(slug(_plain(tokens[at + 1]))))
        elif token.type == "tr_open":
            row = token
        elif token.type == "td_open" and row is not None:
            codes = [one for one in tokens[at + 1].children or () if one.type == "code_inline"]
            if (
                codes
                and _CODE_NAME.fullmatch(codes[0].content)
                and _plain(tokens[at + 1]).startswith(codes[0].content)
            ):
                row.attrSet("id", once(f"{CODE}{codes[0].content}"))
            row = None


def _link(tokens: Sequence[Token], name: str, known: Collection[str]) -> None:
    for token in tokens:
        children = token.children or []
        closed: list[bool] = []
        for child in children:
            if child.type == "link_open":
                target = _target(str(child.attrGet("href") or ""), name, known)
                closed.append(not target)
                if target:
                    child.attrSet("href", target)
                else:
                    child.tag, child.attrs = "span", {}
            elif child.type == "link_close" and closed.pop():
                child.tag = "span"
            elif child.type == "image":
                child.attrSet("src", _target(str(child.attrGet("src") or ""), name, known))
                child.attrSet("loading", "lazy")


def _target(link: str, name: str, known: Collection[str]) -> str:
    """Return where a link of a page leads; empty for a file that is not served."""
    if "://" in link or link.startswith("#"):
        return link
    path, _, anchor = link.partition("#")
    file = posixpath.normpath(posixpath.join(posixpath.dirname(name), path))
    if file not in known and f"{file}/README.md" in known:
        file = f"{file}/README.md"
    return f"{ROOT}{file}{'#' if anchor else ''}{anchor}" if file in known else ""


def _plain(token: Token) -> str:
    """Return the words of a piece of text, without marks and links."""
    return "".join(
        " " if one.type in ("softbreak", "hardbreak") else one.content for one in token.children or ()
    )


def _passages(tokens: Sequence[Token], name: str) -> Iterator[Passage]:
    title, anchor = name, ""
    words: list[str] = []
    begun = False
    for at, token in enumerate(tokens):
        if token.type == "heading_open":
            if begun:
                yield Passage(title=title, anchor=anchor, text=" ".join(words))
            title, anchor, words = _plain(tokens[at + 1]), str(token.attrGet("id")), []
            begun = True
        elif token.type == "inline" and tokens[at - 1].type != "heading_open":
            words.append(_plain(token))
        elif token.type in ("fence", "code_block"):
            words.append(" ".join(token.content.split()))
    yield Passage(title=title, anchor=anchor, text=" ".join(words))
    yield from _rows(tokens)


def _rows(tokens: Sequence[Token]) -> Iterator[Passage]:
    for at, token in enumerate(tokens):
        if token.type == "tr_open" and (found := token.attrGet("id")):
            end = next(n for n in range(at, len(tokens)) if tokens[n].type == "tr_close")
            cells = [_plain(one) for one in tokens[at:end] if one.type == "inline"]
            title = str(found).removeprefix(CODE)
            yield Passage(title=title, anchor=str(found), text=" · ".join(filter(None, cells)))
