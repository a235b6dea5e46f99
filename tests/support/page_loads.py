"""One load of a page as its reader meets it: when something is seen, what it weighs, what it waits for."""

from dataclasses import dataclass
from typing import Any

from tests.support.browser import Page

_LOADED = """(() => {
  const [own] = performance.getEntriesByType('navigation');
  const loaded = [own, ...performance.getEntriesByType('resource')];
  const bytes = Object.fromEntries(loaded.map((one) => [one.name, one.decodedBodySize]));
  return {
    paint: performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null,
    size: Object.values(bytes).reduce((all, one) => all + one, 0),
    blocking: loaded.filter((one) => one.renderBlockingStatus === 'blocking').map((one) => one.name),
  };
})()"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """One load.

    Attributes:
        paint_ms: From the start of the navigation until the first text or picture is seen.
        size: Decoded bytes of the page and of all that it asked for, each address once.
        blocking: Addresses that the browser waited for before it painted.
    """

    paint_ms: float
    size: int
    blocking: tuple[str, ...]


async def load_page(page: Page, url: str, *, cold: bool = False) -> Load:
    """Open a page, and wait until something of it is seen.

    Args:
        page: The browser's page.
        url: Its address.
        cold: Whether the cache of the browser is emptied before.
    """
    await page.open("about:blank")
    if cold:
        await page.send("Network.clearBrowserCache")
    await page.open(url)
    await page.until("performance.getEntriesByName('first-contentful-paint').length === 1")
    return await loaded(page)


async def loaded(page: Page) -> Load:
    """Return what the load of the page that is open took until now."""
    found: dict[str, Any] = await page.run(_LOADED)
    return Load(paint_ms=found["paint"], size=found["size"], blocking=tuple(found["blocking"]))
