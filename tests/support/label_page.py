"""What a person does on the label page: types, presses keys, chooses files, selects words."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tests.support.browser import Page
from tests.support.site import Service, Site

KEY = "label-key-0123456789"
_CODES = {"Enter": "Enter", "Delete": "Delete", "ArrowRight": "ArrowRight", "ArrowLeft": "ArrowLeft"}
SHIFT, CONTROL = 8, 2


FIRMS = ("Contoso", "Fabrikam", "Northwind", "Litware", "Tailspin", "Adatum", "Wingtip", "Proseware")
SHIPS = ("Aurora", "Borealis", "Calypso", "Dauntless", "Endeavour", "Fortune", "Gannet", "Halcyon")


def serve_authoring(site: Site, *words: str) -> Service:
    """Start a service on which people may label and train."""
    site.issue()
    return site.start("Authoring:Enabled=true", f"ApiKeys:label={KEY}", *words)


class LabelPage:
    """The page as its user sees it.

    Args:
        page: The browser's page.
        url: Address of the service.
    """

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url

    async def open(self, key: str = KEY) -> None:
        await self.page.open(f"{self.url}/label")
        await self.page.until("!document.getElementById('access').hidden")
        await self.fill("key", key)
        await self.submit("access")

    async def fill(self, name: str, value: str) -> None:
        await self.page.run(
            f"(() => {{ const field = document.getElementById({json.dumps(name)});"
            f"field.value = {json.dumps(value)};"
            "field.dispatchEvent(new Event('input')); field.dispatchEvent(new Event('change')); })()"
        )

    async def submit(self, name: str) -> None:
        await self.page.run(
            f"(() => {{ const form = document.getElementById({json.dumps(name)});"
            "form.requestSubmit(form.querySelector('[type=submit]')); })()"
        )

    async def click(self, name: str) -> None:
        await self.page.run(f"document.getElementById({json.dumps(name)}).click()")

    async def text(self, name: str) -> str:
        return str(await self.page.run(f"document.getElementById({json.dumps(name)}).innerText"))

    async def shows(self, name: str, text: str) -> None:
        """Wait until an element shows a text."""
        await self.page.until(
            f"document.getElementById({json.dumps(name)}).innerText.includes({json.dumps(text)})"
        )

    async def make_project(self, name: str, language: str = "en") -> None:
        await self.page.until("!document.getElementById('projects').hidden")
        await self.fill("new-name", name)
        await self.fill("new-language", language)
        await self.submit("new-project")
        await self.page.until("!document.getElementById('work').hidden")
        await self.page.until("!document.getElementById('panel-texts').hidden")

    async def choose(self, *files: Path, field: str = "#files") -> None:
        """Choose files, as the browser's own dialogue does."""
        root = await self.page.send("DOM.getDocument")
        node = await self.page.send("DOM.querySelector", nodeId=root["root"]["nodeId"], selector=field)
        await self.page.send(
            "DOM.setFileInputFiles", nodeId=node["nodeId"], files=[str(file) for file in files]
        )

    async def paste(self, name: str, text: str) -> None:
        await self.fill("pasted-name", name)
        await self.fill("pasted", text)
        await self.submit("paste")
        await self.page.until("document.getElementById('pasted').value === ''")

    async def add_categories(self, *names: str) -> None:
        for number, name in enumerate(names, await self.count("#category-list li") + 1):
            await self.fill("new-category", name)
            await self.submit("categories-form")
            await self.page.until(f"document.querySelectorAll('#category-list li').length === {number}")

    async def tab(self, name: str) -> None:
        await self.click(f"tab-{name}")
        await self.page.until(f"!document.getElementById('panel-{name}').hidden")

    async def show(self, location: str) -> None:
        """Open a text by its line in the list."""
        await self.page.run(
            "[...document.querySelectorAll('#documents .document')]"
            f".find((one) => one.querySelector('bdi').innerText === {json.dumps(location)}).click()"
        )
        await self.page.until(f"document.getElementById('doc-name').innerText === {json.dumps(location)}")

    async def press(self, key: str, modifiers: int = 0) -> None:
        """Press a key where the focus is, as a keyboard does."""
        code = _CODES.get(key) or (f"Digit{key}" if key.isdigit() else f"Key{key.upper()}")
        typed = {} if key in _CODES or modifiers & CONTROL else {"text": key}
        for kind in ("keyDown", "keyUp"):
            await self.page.send(
                "Input.dispatchKeyEvent", type=kind, key=key, code=code, modifiers=modifiers, **typed
            )
            typed = {}

    async def focus_text(self) -> None:
        await self.page.run("document.getElementById('text').focus()")

    async def drag(self, start: int, end: int) -> None:
        """Select a stretch of the text, in UTF-16 units, by the browser's own selection."""
        await self.page.run(
            f"""(() => {{
              const nodes = document.createTreeWalker(document.getElementById('text'), NodeFilter.SHOW_TEXT);
              const place = (wanted) => {{
                nodes.currentNode = nodes.root;
                for (let node = nodes.nextNode(), seen = 0; node; node = nodes.nextNode()) {{
                  if (wanted <= seen + node.data.length) return [node, wanted - seen];
                  seen += node.data.length;
                }}
                throw new Error('no such place');
              }};
              document.getElementById('text').focus();
              getSelection().setBaseAndExtent(...place({start}), ...place({end}));
            }})()"""
        )

    async def train_and_deploy(self) -> float:
        """Train on what is labelled and serve the model; return its F1, 0…100."""
        await self.tab("train")
        row = "document.querySelectorAll('#models-table tbody tr').length"
        before = await self.page.run(row)
        await self.submit("train-form")
        await self.page.until("!document.getElementById('training').hidden")
        ended = f"{row} > {before} || document.getElementById('outcome').dataset.tone === 'bad'"
        for _ in range(600):
            if await self.page.run(ended):
                break
            await asyncio.sleep(0.5)
        await self.page.until(f"{row} > {before}")
        await self.submit("deploy-form")
        await self.shows("deployed", "answers now")
        return float(await self.page.run("document.querySelector('#models-table tbody .number').innerText"))

    async def label_as(self, category: str, start: int, end: int, categories: list[str]) -> None:
        """Select and label: by key where the category has one, else by its button."""
        await self.drag(start, end)
        number = categories.index(category) + 1
        if number <= 9:
            await self.press(str(number))
        else:
            await self.page.run(f"document.querySelectorAll('#category-bar button')[{number - 1}].click()")

    async def saved(self) -> None:
        await self.shows("saved", "Saved")

    async def marks(self) -> list[list[str]]:
        """Return the surface and the category of each mark of the text; a proposal's ends with `?`."""
        found: list[list[str]] = await self.page.run(
            "[...document.querySelectorAll('#text mark')].map((one) => [one.textContent, one.dataset.label])"
        )
        return found

    async def labels(self) -> list[dict[str, Any]]:
        """Return the labels that the text shows, proposals left out, as a project file has them."""
        found: list[dict[str, Any]] = await self.page.run(
            """(() => {
              const found = [];
              let seen = 0;
              for (const one of document.getElementById('text').childNodes) {
                const { length } = one.textContent;
                if (one.dataset && !one.classList.contains('proposal')) {
                  found.push({ category: one.dataset.label, offset: seen, length });
                }
                seen += length;
              }
              return found;
            })()"""
        )
        return found

    async def count(self, selector: str) -> int:
        return int(await self.page.run(f"document.querySelectorAll({json.dumps(selector)}).length"))

    async def size(self, width: int, height: int = 900) -> None:
        await self.page.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )

    async def scheme(self, name: str) -> None:
        """Show the page light or dark."""
        features: list[dict[str, Any]] = [{"name": "prefers-color-scheme", "value": name}]
        await self.page.send("Emulation.setEmulatedMedia", features=features)


async def begin(
    page: Page,
    url: str,
    project: str,
    *files: Path,
    texts: Mapping[str, str] = MappingProxyType({}),
    categories: Sequence[str] = (),
    language: str = "en",
) -> LabelPage:
    """Open the page and make a project of files, texts and categories, as each task on it begins.

    With texts and without files, the first of them is open to be labelled at the end.

    Args:
        page: The browser's page.
        url: Address of the service.
        project: Name of the new project.
        files: Files that are chosen.
        texts: Texts that are pasted, by name without `.txt`.
        categories: Categories that are added.
        language: Language of the project.
    """
    label = LabelPage(page, url)
    await label.open()
    await label.make_project(project, language)
    if files:
        await label.choose(*files)
        await label.shows("outcome", " added")
    for name, text in texts.items():
        await label.paste(name, text)
    await label.add_categories(*categories)
    if texts and not files:
        await label.tab("label")
        await label.shows("doc-name", f"{next(iter(texts))}.txt")
    return label


def labelled_lines(count: int = 24) -> str:
    """Texts with a seller and a ship each, as JSON Lines: enough to learn from in seconds."""
    lines = []
    for number in range(count):
        firm, ship = FIRMS[number % 8], SHIPS[(number * 3 + number // 8) % 8]
        text = f"{firm} sold the vessel {ship} in port {number}."
        spans = [("Seller", firm), ("Ship", ship)]
        entities = [
            {"start": text.index(name), "end": text.index(name) + len(name), "label": category}
            for category, name in spans
        ]
        lines.append(json.dumps({"text": text, "entities": entities}))
    return "\n".join(lines)
