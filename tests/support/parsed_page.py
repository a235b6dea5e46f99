"""A page's elements, and what stands inline in it, for a strict Content-Security-Policy."""

from html.parser import HTMLParser


class ParsedPage(HTMLParser):
    """Reads a page.

    Attributes:
        name: The page's file, for whoever sets it.
        elements: Tags with their attributes, in order.
        inline: Scripts and styles that stand in the page itself.
    """

    def __init__(self) -> None:
        super().__init__()
        self.name = ""
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.inline: list[str] = []
        self._open = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._open = tag

    def handle_endtag(self, tag: str) -> None:
        self._open = ""

    def handle_data(self, data: str) -> None:
        if self._open in {"script", "style"} and data.strip():
            self.inline.append(data)
