"""Make `tests/vectors/webm`: recordings as the browsers' MediaRecorder and as ffmpeg write them.

Needs chromium, firefox-esr, ffmpeg and, where there is no sound card, pulseaudio, without whose output
Firefox plays nothing. It takes some seconds, since a browser records in the time that the sound takes:

    apt-get install chromium firefox-esr ffmpeg pulseaudio
    pulseaudio -n -L module-null-sink -L module-native-protocol-unix --daemonize=yes --exit-idle-time=60
    PYTHONPATH=. python tests/vectors/make_webm.py
"""

import asyncio
import base64
import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Final

import aiohttp

from tests.support.browser import Page, driving
from tests.support.dictation import RATE, amiable
from tests.support.paths import ROOT
from tests.support.recorder import record, script

HERE: Final = Path(__file__).parent / "webm"
START: Final = ROOT / "tests/unit/speech/recordings/start.opus"


async def browser(page: Page) -> None:
    """Somebody reads a sentence into a browser, which gives it in pieces of a second."""
    recorded = await record(page, amiable(), RATE, slice_ms=1_000, audioBitsPerSecond=24_000)
    (HERE / "chromium.webm").write_bytes(recorded)


PORT: Final = 9333
PREFERENCES: Final = """
user_pref("media.autoplay.default", 0);
user_pref("media.autoplay.blocking_policy", 0);
user_pref("media.autoplay.block-webaudio", false);
user_pref("media.cubeb.backend", "pulse");
user_pref("security.sandbox.content.level", 0);
"""


async def firefox(profile: Path) -> None:
    """The same in Firefox, over WebDriver BiDi."""
    (profile / "user.js").write_text(PREFERENCES)
    words = ("--headless", "--no-remote", "--profile", profile, "--remote-debugging-port", str(PORT))
    process = subprocess.Popen(["firefox-esr", *words])
    try:
        async with aiohttp.ClientSession() as session, await _connected(session) as socket:

            async def call(number: int, method: str, **params: Any) -> Any:
                await socket.send_str(json.dumps({"id": number, "method": method, "params": params}))
                while (reply := json.loads((await socket.receive(timeout=30)).data)).get("id") != number:
                    pass
                return reply["result"]

            await call(1, "session.new", capabilities={})
            (context, *_) = (await call(2, "browsingContext.getTree"))["contexts"]
            target = {"context": context["context"]}
            wanted = script(amiable(), RATE, slice_ms=1_000, audioBitsPerSecond=24_000)
            found = await call(3, "script.evaluate", expression=wanted, target=target, awaitPromise=True)
        (HERE / "firefox.webm").write_bytes(base64.b64decode(found["result"]["value"]))
    finally:
        process.terminate()
        process.wait(20)


async def _connected(session: aiohttp.ClientSession) -> aiohttp.ClientWebSocketResponse:
    for _ in range(100):
        try:
            return await session.ws_connect(f"ws://127.0.0.1:{PORT}/session", max_msg_size=0)
        except aiohttp.ClientError:
            await asyncio.sleep(0.3)
    raise TimeoutError("Firefox did not start")


def ffmpeg(name: str, *options: str) -> None:
    """One word, brought into a container by ffmpeg."""
    command = ["ffmpeg", "-loglevel", "error", "-y", "-i", str(START), "-fflags", "+bitexact"]
    subprocess.run([*command, *options, str(HERE / name)], check=True)


def main() -> None:
    """Make them all."""
    HERE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as profile, driving(Path(profile)) as drive:
        drive(browser)
    with tempfile.TemporaryDirectory() as profile:
        asyncio.run(firefox(Path(profile)))
    ffmpeg("ffmpeg.webm", "-c", "copy")
    ffmpeg("ffmpeg-live.webm", "-c", "copy", "-live", "1")
    ffmpeg("ffmpeg-vorbis.webm", "-c:a", "libvorbis", "-b:a", "32k", "-t", "0.2")


if __name__ == "__main__":
    main()
