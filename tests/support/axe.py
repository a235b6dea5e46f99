"""The rules of axe-core on a page that a browser shows."""

from importlib.resources import files
from typing import Any

from tests.support.browser import Page

_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]


async def violations(page: Page) -> list[str]:
    """Return what axe-core finds wrong with the page as it stands, each rule with its first elements."""
    await page.run((files("axe_core_python") / "axe.min.js").read_text(encoding="utf-8") + ";undefined")
    found: list[dict[str, Any]] = await page.run(
        f"axe.run(document, {{runOnly: {_TAGS}}}).then((done) => done.violations.map((one) => "
        "({id: one.id, nodes: one.nodes.slice(0, 3).map((node) => node.html.slice(0, 200) + ' ' "
        "+ node.failureSummary)})))"
    )
    return [f"{one['id']}: {node}" for one in found for node in one["nodes"]]
