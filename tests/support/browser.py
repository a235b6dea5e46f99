"""A real browser, driven over its debugging protocol: Chromium, without a window."""

import asyncio
import base64
import json
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

# The shell is the same browser without what a window needs: it takes a third of the processor time.
CHROMIUM = shutil.which("chromium-headless-shell") or shutil.which("chromium")
WINDOW = (1280, 1600)
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="chromium is not installed (Debian: apt-get install chromium-headless-shell)"
)


class Page:
    """One page of the browser: commands out, events in.

    Attributes:
        asked: Every address it asked for.
        complaints: Errors that it logged.
    """

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, context: str | None = None) -> None:
        self._socket = socket
        self._context = context
        self._last = 0
        self.asked: list[str] = []
        self.complaints: list[str] = []

    async def send(self, method: str, **params: Any) -> dict[str, Any]:
        if self._context and method == "Browser.setDownloadBehavior":
            params["browserContextId"] = self._context  # otherwise it holds for none of this page's downloads
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
        for _ in range(900):
            try:
                if await self.run(expression):
                    return
            except AssertionError as error:
                if "Inspected target navigated" not in str(error):  # the page asked for is on its way
                    raise
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


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of one browser for all tests of this process: to start one takes a second of a processor."""
    with running(tmp_path_factory.mktemp("browser") / "profile") as port:
        yield port


@pytest.fixture
def drive(browser: int) -> Iterator[Drive]:
    """A page for one test, which shares no storage, no cache and no permission with those of other tests."""
    context, target = asyncio.run(_open_context(browser))
    try:
        yield _driver(lambda: _page(browser, target, context))
    finally:
        asyncio.run(_close_context(browser, context))


@contextmanager
def driving(profile: Path, *more: str) -> Iterator[Drive]:
    """Start a browser of its own, and stop it at the end.

    Args:
        profile: Where it keeps its files.
        more: Further options of the browser.
    """
    with running(profile, *more) as port:
        yield _driver(lambda: _first_page(port))


@contextmanager
def running(profile: Path, *more: str) -> Iterator[int]:
    """Start a browser, give the port of its debugging protocol, and stop it at the end."""
    quiet = ("gpu", "background-networking", "component-update", "sync", "default-apps", "quic", "extensions")
    command = [
        *(
            str(CHROMIUM),
            "--headless",
            "--no-sandbox",
            "--no-first-run",
            "--window-size={},{}".format(*WINDOW),
        ),
        *(f"--disable-{feature}" for feature in quiet),
        "--autoplay-policy=no-user-gesture-required",
        *(f"--user-data-dir={profile}", "--remote-debugging-port=0", *more, "about:blank"),
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield _port(profile / "DevToolsActivePort")
    finally:
        process.terminate()
        process.wait(20)


def _driver(connect: Callable[[], AbstractAsyncContextManager[Page]]) -> Drive:
    async def scenario(steps: Callable[[Page], Any]) -> None:
        async with connect() as page:
            await steps(page)

    return lambda steps: asyncio.run(scenario(steps))


def _port(file: Path) -> int:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if file.exists() and (text := file.read_text()).strip():
            return int(text.splitlines()[0])
        time.sleep(0.02)
    raise AssertionError("the browser did not start")


async def _open_context(port: int) -> tuple[str, str]:
    """Return the names of a new context, which is what a new profile would be, and of its page."""
    async with _whole_browser(port) as browser:
        made = await browser.send("Target.createBrowserContext")
        context = str(made["browserContextId"])
        size = {"width": WINDOW[0], "height": WINDOW[1]}
        opened = await browser.send(
            "Target.createTarget", url="about:blank", browserContextId=context, **size
        )
        return context, str(opened["targetId"])


async def _close_context(port: int, context: str) -> None:
    async with _whole_browser(port) as browser:
        await browser.send("Target.disposeBrowserContext", browserContextId=context)


@asynccontextmanager
async def _whole_browser(port: int) -> AsyncIterator[Page]:
    async with aiohttp.ClientSession() as session:
        async with session.get(f"http://127.0.0.1:{port}/json/version") as reply:
            address = (await reply.json())["webSocketDebuggerUrl"]
        async with session.ws_connect(address, max_msg_size=0) as socket:
            yield Page(socket)


@asynccontextmanager
async def _first_page(port: int) -> AsyncIterator[Page]:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{port}/json") as reply,
    ):
        (target, *_) = [one["id"] for one in await reply.json() if one["type"] == "page"]
    async with _page(port, target) as page:
        yield page


@asynccontextmanager
async def _page(port: int, target: str, context: str | None = None) -> AsyncIterator[Page]:
    address = f"ws://127.0.0.1:{port}/devtools/page/{target}"
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(address, max_msg_size=0) as socket,
    ):
        page = Page(socket, context)
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
