"""The rules of axe-core on a page that a browser shows."""

from pathlib import Path
from typing import Any

from tests.support.browser import Page

SCRIPT = Path(__file__).parents[1] / "browser" / "axe" / "axe.min.js"


async def violations(page: Page) -> list[str]:
    """Return what axe-core finds wrong with the page as it stands, each rule with its first elements."""
    await page.run(f"{SCRIPT.read_text('utf-8')};0")
    found: list[dict[str, Any]] = await page.run(
        "axe.run(document, {resultTypes: ['violations']}).then((done) => done.violations.map((one) => "
        "({id: one.id, nodes: one.nodes.slice(0, 3).map((node) => node.html.slice(0, 200) + ' ' "
        "+ node.failureSummary)})))"
    )
    return [f"{one['id']}: {node}" for one in found for node in one["nodes"]]
