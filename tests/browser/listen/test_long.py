"""Recordings of many words on the listen page: progress, cancel, memory, and words that follow the sound."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from appliance.config.products import SPEECH_TO_TEXT
from license.authority.authority import Authority
from tests.browser.listen.test_listen import choose
from tests.support.axe import violations
from tests.support.browser import Drive, Page, drive, needs_chromium
from tests.support.chatter import SECONDS, WORDS, chatter
from tests.support.site import Service, Site
from tests.support.tones import write_model

__all__ = ["drive"]
pytestmark = [pytest.mark.e2e, needs_chromium, pytest.mark.timeout(300)]
MIB = 2**20
OUTCOME = "document.getElementById('outcome').textContent"
DONE = "!document.getElementById('result').hidden"


@pytest.fixture
def service(tmp_path: Path, vendor: Authority) -> Iterator[Service]:
    site = Site(tmp_path / "site", vendor)
    site.issue(product="speech", meters={SPEECH_TO_TEXT.meter: 100_000})
    model = write_model(tmp_path / "tones")
    yield site.start("Service=speechtotext", f"Mounts:Model={model}", "Engine:Sessions=1")
    site.close()


async def send(page: Page, service: Service, recording: Path) -> None:
    """Open the page and send a recording; what it tells meanwhile is kept in `window.told`."""
    await page.open(f"{service.url}/listen")
    await page.run(
        "window.told = []; new MutationObserver(() => window.told.push("
        "document.getElementById('outcome').textContent)).observe("
        "document.getElementById('outcome'), {childList: true});"
    )
    await choose(page, recording)
    await page.until("!document.getElementById('transcribe').disabled")
    await page.run("document.getElementById('form').requestSubmit()")


async def until(page: Page, expression: str, seconds: float) -> None:
    for _ in range(int(seconds * 4)):
        if await page.run(expression):
            return
        await asyncio.sleep(0.25)
    raise AssertionError(f"never true: {expression}: {await page.run(OUTCOME)}")


async def heard_seconds(page: Page) -> list[int]:
    told = [one for one in await page.run("window.told") if one.startswith("Heard ")]
    return [int(one.split()[1].replace(",", "")) for one in told]


async def play_from(page: Page, second: float) -> None:
    await page.run(
        "(async () => { const audio = document.getElementById('audio');"
        f"audio.currentTime = {second}; await audio.play(); }})()"
    )


async def follows(page: Page, second: float) -> None:
    """Play from somewhere: the word that is marked is on the screen, and one that is heard there."""
    await play_from(page, second)
    sentence = int(second) // SECONDS * WORDS
    index = "Number(document.querySelector('.word.now')?.dataset.index ?? -1)"
    await page.until(f"{index} >= {sentence} && {index} < {sentence + 2 * WORDS}")
    place: dict[str, Any] = await page.run(
        """(() => {
          document.getElementById('audio').pause();
          const word = document.querySelector('.word.now');
          const [list, here] = [document.getElementById('phrases-heard'), word]
            .map((one) => one.getBoundingClientRect());
          return { above: here.top - list.top, below: list.bottom - here.bottom };
        })()"""
    )
    assert place["above"] >= -1
    assert place["below"] >= -1


def test_of_many_words_each_follows_and_one_key_stop_reaches_all(
    service: Service, drive: Drive, tmp_path: Path
) -> None:
    recording, seconds = tmp_path / "call.wav", 240
    recording.write_bytes(chatter(seconds))
    words = seconds // SECONDS * WORDS

    async def steps(page: Page) -> None:
        await send(page, service, recording)
        await page.until(DONE)
        assert await page.run("document.querySelectorAll('.word').length") == words
        for second in (0.5, 130.2, 232.5):
            await follows(page, second)
        assert await page.run("document.querySelectorAll('#phrases-heard [tabindex=\"0\"]').length") == 1
        focused = "Number(document.activeElement.dataset.index)"
        await page.run("document.querySelector('#phrases-heard [tabindex=\"0\"]').focus()")
        for key, index in (("ArrowRight", 1), ("End", words - 1), ("ArrowLeft", words - 2), ("Home", 0)):
            await page.run(
                f"document.activeElement.dispatchEvent(new KeyboardEvent('keydown', {{ key: '{key}',"
                "bubbles: true, cancelable: true }))"
            )
            assert await page.run(focused) == index
        assert await violations(page) == []
        assert page.complaints == []

    drive(steps)


def test_who_cancels_gets_the_page_back_and_the_service_hears_no_further(
    service: Service, drive: Drive, tmp_path: Path
) -> None:
    recording, short = tmp_path / "long.wav", tmp_path / "short.wav"
    recording.write_bytes(chatter(3_200))
    short.write_bytes(chatter(SECONDS))

    async def steps(page: Page) -> None:
        await send(page, service, recording)
        await page.until("window.told.some((one) => one.startsWith('Heard '))")
        await page.run("document.getElementById('cancel').click()")
        await page.until(f"{OUTCOME}.startsWith('Cancelled.')")
        assert await page.run("document.getElementById('progress').hidden")
        assert await page.run("document.getElementById('cancel').hidden")
        await send(page, service, short)
        await page.until(DONE)

    drive(steps)
    with service.client() as client:
        (meter,) = client.get("/records/usage-logs/").json()["meters"]
    assert meter["quantity"] == SECONDS


@pytest.mark.slow
@pytest.mark.timeout(3_600)
def test_two_hours_are_heard_followed_and_saved_within_bounded_memory(
    service: Service, drive: Drive, tmp_path: Path
) -> None:
    recording, seconds = tmp_path / "meeting.wav", 7_200
    recording.write_bytes(chatter(seconds))
    words = seconds // SECONDS * WORDS
    assert words > 20_000
    with service.client() as client:
        client.get("/ready").raise_for_status()
    before = peak(service)

    async def steps(page: Page) -> None:
        await send(page, service, recording)
        await until(page, DONE, 3_000)
        told = await heard_seconds(page)
        assert len(told) > 20
        assert told == sorted(told)
        assert await page.run("document.querySelectorAll('.word').length") == words
        for second in (0.5, 3_601.2, 7_190.5):
            await follows(page, second)
        measured = await load_of_playing(page, 10)
        measured["serviceGrewMiB"] = (peak(service) - before) / MIB
        (tmp_path / "measured.json").write_text(json.dumps(measured))
        assert measured["share"] < 0.5, measured
        assert measured["heap"] < 64 * MIB, measured
        assert measured["nodes"] < 4 * words + 10_000
        saved = await page.run(
            """(async () => {
              const make = URL.createObjectURL;
              const text = await new Promise((done) => {
                URL.createObjectURL = (blob) => { done(blob.text()); return make.call(URL, blob); };
                document.querySelector('[data-save=srt]').click();
              });
              URL.createObjectURL = make;
              return text.length;
            })()"""
        )
        assert saved > words * 3
        assert page.complaints == []

    drive(steps)
    assert peak(service) - before < recording.stat().st_size + 64 * MIB


def peak(service: Service) -> int:
    """Most memory that was ever resident, in bytes."""
    status = Path(f"/proc/{service.process.pid}/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024


async def load_of_playing(page: Page, seconds: float) -> dict[str, float]:
    """Play for some seconds: the share of them that the page's thread is busy, and what the page holds."""
    await page.send("Performance.enable")
    await play_from(page, 3_000)
    before = await metrics(page)
    await asyncio.sleep(seconds)
    after = await metrics(page)
    await page.run("document.getElementById('audio').pause()")
    await page.send("HeapProfiler.collectGarbage")
    held = await metrics(page)
    busy = after["TaskDuration"] - before["TaskDuration"]
    wall = after["Timestamp"] - before["Timestamp"]
    return {"share": busy / wall, "heap": held["JSHeapUsedSize"], "nodes": held["Nodes"]}


async def metrics(page: Page) -> dict[str, float]:
    found = await page.send("Performance.getMetrics")
    return {one["name"]: one["value"] for one in found["metrics"]}
