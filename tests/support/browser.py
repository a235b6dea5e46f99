"""A real browser, driven over its debugging protocol: Chromium, without a window."""

import asyncio
import base64
import json
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

CHROMIUM = shutil.which("chromium")
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="chromium is not installed (Debian: apt-get install chromium)"
)


class Page:
    """One page of the browser: commands out, events in.

    Attributes:
        asked: Every address it asked for.
        complaints: Errors that it logged.
    """

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._last = 0
        self.asked: list[str] = []
        self.complaints: list[str] = []

    async def send(self, method: str, **params: Any) -> dict[str, Any]:
        self._last += 1
        await self._socket.send_str(json.dumps({"id": self._last, "method": method, "params": params}))
        while True:
            message = json.loads((await self._socket.receive(timeout=30)).data)
            if message.get("id") == self._last:
                assert "error" not in message, message
                return dict(message["result"])
            self._note(message)

    def _note(self, message: dict[str, Any]) -> None:
        params = message.get("params", {})
        if message.get("method") == "Network.requestWillBeSent":
            self.asked.append(params["request"]["url"])
        elif message.get("method") == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.complaints.append(params["entry"]["text"])
        elif message.get("method") == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(params)[:500])

    async def run(self, expression: str) -> Any:
        found = await self.send(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    async def until(self, expression: str) -> None:
        for _ in range(300):
            if await self.run(expression):
                return
            await asyncio.sleep(0.05)
        raise AssertionError(f"never true: {expression}: {await self.run('document.body.innerText')}")

    async def open(self, url: str) -> None:
        await self.send("Page.navigate", url=url)
        await self.until("document.readyState === 'complete'")

    async def picture(self, path: Path) -> bytes:
        found = await self.send("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        data = base64.b64decode(found["data"])
        path.write_bytes(data)
        return data


Drive = Callable[[Callable[[Page], Any]], None]


@pytest.fixture
def drive(tmp_path: Path) -> Iterator[Drive]:
    """A browser for one test."""
    with driving(tmp_path / "profile") as steps:
        yield steps


@contextmanager
def driving(profile: Path, *more: str) -> Iterator[Drive]:
    """Start a browser, and stop it at the end.

    Args:
        profile: Where it keeps its files.
        more: Further options of the browser.
    """
    quiet = ("gpu", "background-networking", "component-update", "sync", "default-apps", "quic")
    command = [
        *(str(CHROMIUM), "--headless", "--no-sandbox", "--no-first-run", "--window-size=1280,1600"),
        *(f"--disable-{feature}" for feature in quiet),
        "--autoplay-policy=no-user-gesture-required",
        *(f"--user-data-dir={profile}", "--remote-debugging-port=0", *more, "about:blank"),
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        port = _port(profile / "DevToolsActivePort")

        async def scenario(steps: Callable[[Page], Any]) -> None:
            async with _page(port) as page:
                await steps(page)

        yield lambda steps: asyncio.run(scenario(steps))
    finally:
        process.terminate()
        process.wait(20)


def _port(file: Path) -> int:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if file.exists() and (text := file.read_text()).strip():
            return int(text.splitlines()[0])
        time.sleep(0.05)
    raise AssertionError("the browser did not start")


@asynccontextmanager
async def _page(port: int) -> AsyncIterator[Page]:
    async with aiohttp.ClientSession() as session:
        async with session.get(f"http://127.0.0.1:{port}/json") as reply:
            (target, *_) = [one for one in await reply.json() if one["type"] == "page"]
        async with session.ws_connect(target["webSocketDebuggerUrl"], max_msg_size=0) as socket:
            page = Page(socket)
            for domain in ("Network", "Page", "Log", "Runtime"):
                await page.send(f"{domain}.enable")
            yield page


async def look(page: Page, *, width: int, dark: bool = False, height: int = 900) -> None:
    """Give the page a width in pixels, and the light or dark colours of the system."""
    await page.send(
        "Emulation.setEmulatedMedia",
        media="screen",
        features=[
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
            {"name": "prefers-reduced-motion", "value": "reduce"},  # colours on their way are no colours
        ],
    )
    await page.send(
        "Emulation.setDeviceMetricsOverride",
        width=width,
        height=height,
        deviceScaleFactor=1,
        mobile=False,  # a phone would make room for what is too wide, and hide that it is
    )


async def sideways(page: Page) -> int:
    """By how many pixels the page is wider than the window; nobody should scroll sideways."""
    return int(await page.run("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


async def full_picture(page: Page, path: Path) -> bytes:
    """A picture of the whole page, however long."""
    size = (await page.send("Page.getLayoutMetrics"))["cssContentSize"]
    clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
    found = await page.send("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
    data = base64.b64decode(found["data"])
    path.write_bytes(data)
    return data


async def take(page: Page, path: Path, *, width: int, height: int) -> None:
    """A picture of what a window of that size shows, from where it is scrolled to."""
    clip = {"x": 0, "y": await page.run("scrollY"), "width": width, "height": height, "scale": 1}
    found = await page.send("Page.captureScreenshot", format="png", clip=clip)
    path.write_bytes(base64.b64decode(found["data"]))
