"""The listen page in a real browser against a real service: files, their words, subtitles, the microphone."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile

from appliance.config.products import SPEECH_TO_TEXT
from tests.support.axe import violations
from tests.support.browser import Drive, Page, drive, driving, needs_chromium
from tests.support.chatter import write_mishearing
from tests.support.dictation import AMIABLE, RATE, amiable
from tests.support.hanging import hanging_service
from tests.support.site import Service, Site
from tests.support.tones import silence, speak, write_model

__all__ = ["drive"]
pytestmark = [pytest.mark.e2e, needs_chromium, pytest.mark.timeout(300)]
PROGRESS = "/speechtotext/transcriptions:progress"
KEY = "listen-key-0123456789"
SHOWN = "document.getElementById('phrases-heard').innerText.replaceAll(/\\s+/g, ' ')"


def serve(site: Site, *words: str) -> Service:
    site.issue(product="speech", meters={SPEECH_TO_TEXT.meter: 1_000})
    return site.start("Service=speechtotext", *words)


async def choose(page: Page, *files: Path, field: str = "#file") -> None:
    root = await page.send("DOM.getDocument")
    node = await page.send("DOM.querySelector", nodeId=root["root"]["nodeId"], selector=field)
    await page.send("DOM.setFileInputFiles", nodeId=node["nodeId"], files=[str(one) for one in files])


async def everywhere(page: Page, name: str, pictures: Path) -> None:
    """Look at a state in light and dark, wide and narrow."""
    for width, scheme in ((1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")):
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        await page.send("Emulation.setDeviceMetricsOverride", **size)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        await page.send("Emulation.setEmulatedMedia", features=features)
        await page.until("document.getAnimations().every((one) => one.playState === 'finished')")
        await page.picture(pictures / f"{name}-{width}-{scheme}.png")
        assert await violations(page) == [], (name, width, scheme)
        assert await page.run("document.documentElement.scrollWidth") <= width, (name, width)


def test_a_recording_is_written_down_heard_word_by_word_and_saved(
    site: Site, drive: Drive, tmp_path: Path
) -> None:
    service = serve(site, f"ApiKeys:one={KEY}")
    recording = tmp_path / "call.wav"
    gap = np.zeros(2 * RATE, np.float32)
    soundfile.write(recording, np.concatenate((amiable(), gap, amiable())), RATE, "PCM_16")

    async def steps(page: Page) -> None:
        await page.open(f"{service.url}/listen")
        await page.until("!document.getElementById('access').hidden")
        await everywhere(page, "empty", tmp_path)
        await page.run(
            f"const k = document.getElementById('key'); k.value = '{KEY}';"
            "k.dispatchEvent(new Event('change'))"
        )
        await page.run("document.getElementById('phrases').value = 'amiable\\nContoso'")
        await choose(page, recording)
        await page.until("!document.getElementById('transcribe').disabled")
        await page.run("document.getElementById('form').requestSubmit()")
        await page.until("!document.getElementById('result').hidden")
        assert (await page.run(SHOWN)).count(AMIABLE) == 2
        assert "seconds of sound in" in await page.run("document.getElementById('outcome').innerText")
        assert "offline-appliance" in await page.run("document.getElementById('record').innerText")
        # A word that is pressed is heard: the sound goes there, and the word is marked.
        await page.run("[...document.querySelectorAll('.word')].at(-1).click()")
        await page.until("document.querySelectorAll('.word.now').length === 1")
        assert await page.run("document.getElementById('audio').currentTime > 4")
        await page.until("document.getElementById('audio').paused")
        await everywhere(page, "heard", tmp_path)
        saved = await page.run(
            """(async () => {
              const found = {};
              const make = URL.createObjectURL;
              for (const one of document.querySelectorAll('[data-save]')) {
                found[one.dataset.save] = await new Promise((done) => {
                  URL.createObjectURL = (blob) => { done(blob.text()); return make.call(URL, blob); };
                  one.click();
                });
                URL.createObjectURL = make;
                const busy = () => one.getAttribute('aria-busy') === 'true';
                while (busy()) await new Promise((go) => setTimeout(go, 20));
              }
              return found;
            })()"""
        )
        assert saved["txt"].split("\n")[:2] == [AMIABLE, AMIABLE]
        assert saved["vtt"].startswith("WEBVTT")
        assert re.search(r"^00:00:0\d,\d{3} --> ", saved["srt"], re.MULTILINE)
        assert [one["text"] for one in json.loads(saved["json"])["phrases"]] == [AMIABLE, AMIABLE]
        elsewhere = [url for url in page.asked if not url.startswith(("data:", "blob:", f"{service.url}/"))]
        assert elsewhere == []
        assert [text for text in page.complaints if "401" not in text] == []

    drive(steps)
    assert service.stop() == 0


def test_the_example_is_heard_and_the_snippets_say_how_a_program_does_it(site: Site, drive: Drive) -> None:
    service = serve(site)

    async def steps(page: Page) -> None:
        await page.open(f"{service.url}/listen")
        await page.run("document.getElementById('example').click()")
        await page.until("!document.getElementById('result').hidden")
        assert AMIABLE in await page.run(SHOWN)
        for tab, word in (("curl", "curl"), ("python", "TranscriptionClient"), ("javascript", "FormData")):
            await page.run(f"document.getElementById('tab-{tab}').click()")
            assert word in await page.run("document.getElementById('snippet').innerText")
        await page.run(
            "(() => { const t = new DataTransfer(); t.items.add(new File(['no sound'], 'notes.txt'));"
            "document.getElementById('drop').dispatchEvent(new DragEvent('drop', {dataTransfer: t})); })()"
        )
        await page.until("document.getElementById('outcome').dataset.tone === 'bad'")
        assert await page.run("document.getElementById('result').hidden")
        assert await violations(page) == []

    drive(steps)
    assert service.stop() == 0


def test_it_is_told_how_far_a_long_recording_is_heard(site: Site, drive: Drive, tmp_path: Path) -> None:
    service = serve(site, f"ApiKeys:one={KEY}")
    recording = tmp_path / "long.wav"
    soundfile.write(recording, np.concatenate([amiable()] * 12), RATE, "PCM_16")
    length = round(soundfile.info(recording).duration)

    async def steps(page: Page) -> None:
        await page.open(f"{service.url}/listen")
        await page.run(
            f"const k = document.getElementById('key'); k.value = '{KEY}';"
            "k.dispatchEvent(new Event('change'));"
            "window.seen = []; new MutationObserver(() => window.seen.push("
            "document.getElementById('outcome').textContent)).observe("
            "document.getElementById('outcome'), {childList: true});"
        )
        await choose(page, recording)
        await page.until("!document.getElementById('transcribe').disabled")
        await page.run("document.getElementById('form').requestSubmit()")
        await page.until("window.seen.some((one) => one.startsWith('Heard '))")
        await page.until("!document.getElementById('result').hidden")
        told = [one for one in await page.run("window.seen") if one.startswith("Heard ")]
        heard = [int(one.split()[1]) for one in told]
        assert heard == sorted(heard)
        assert 0 < heard[-1] <= length
        assert all(one.endswith(f" of {length} seconds") for one in told)

    drive(steps)
    with service.client(headers={"Ocp-Apim-Subscription-Key": KEY}) as client:
        assert client.get(PROGRESS, params={"id": "0" * 32}).status_code == 404
        assert client.get(PROGRESS).status_code == 404
    with service.client() as client:
        assert client.get(PROGRESS, params={"id": "0" * 32}).status_code == 401
    assert service.stop() == 0


def test_what_is_said_into_the_microphone_appears_while_it_is_said(site: Site, tmp_path: Path) -> None:
    service = serve(site, f"ApiKeys:one={KEY}")
    spoken = tmp_path / "spoken.wav"
    gap = np.zeros(2 * RATE, np.float32)
    soundfile.write(spoken, np.concatenate((amiable(), gap)), RATE, "PCM_16")
    microphone = (
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-audio-capture={spoken}",
    )

    async def steps(page: Page) -> None:
        await page.open(f"{service.url}/listen")
        await page.run(
            f"const k = document.getElementById('key'); k.value = '{KEY}';"
            "k.dispatchEvent(new Event('change'))"
        )
        await page.run(
            "window.seen = []; new MutationObserver(() => window.seen.push("
            "document.getElementById('interim').textContent)).observe("
            "document.getElementById('interim'), {childList: true, characterData: true, subtree: true});"
            "document.getElementById('microphone').click()"
        )
        await page.until(f"{SHOWN}.includes('amiable')")
        interim = await page.run("window.seen.filter(Boolean)")
        assert interim, "text appears before a phrase is finished"
        await page.run("document.getElementById('microphone').click()")
        await page.until("document.getElementById('outcome').innerText.includes('heard.')")
        assert await page.run("!document.getElementById('audio').hidden")
        assert [text for text in page.complaints if "401" not in text] == []

    with driving(tmp_path / "profile", *microphone) as drive:
        drive(steps)
    assert service.stop() == 0


def test_wrong_words_are_counted_by_speaker_beside_an_earlier_result(
    site: Site, drive: Drive, tmp_path: Path
) -> None:
    service = serve(site)
    for name in ("a.wav", "b.wav"):
        soundfile.write(tmp_path / name, amiable(), RATE, "PCM_16")
    said = AMIABLE.replace("amiable", "friendly")
    (tmp_path / "list.csv").write_text(f"path,text,speaker\na.wav,{AMIABLE},Ann\nb.wav,{said},Ben\n")
    earlier = {"kind": "appliance-listen-result", "model": "before", "texts": {"a.wav": "", "b.wav": said}}
    (tmp_path / "before.json").write_text(json.dumps(earlier))

    async def steps(page: Page) -> None:
        await page.open(f"{service.url}/listen")
        await page.run("document.getElementById('check').open = true")
        files = [tmp_path / name for name in ("a.wav", "b.wav", "list.csv")]
        await choose(page, *files, field="#check-files")
        await page.run("document.getElementById('check-form').requestSubmit()")
        await page.until("!document.getElementById('check-result').hidden")
        figure = "document.getElementById('check-figure').innerText"
        assert (await page.run(figure)).startswith("6.3")
        rows = await page.run("document.getElementById('speakers').innerText.replaceAll(/\\s+/g, ' ')")
        assert "Ann 8 0.0" in rows
        assert "Ben 8 12.5" in rows
        assert "friendly" in await page.run("document.getElementById('worst').innerText")
        await everywhere(page, "checked", tmp_path)
        card = await page.run(
            """(async () => {
              const make = URL.createObjectURL;
              return new Promise((done) => {
                URL.createObjectURL = (blob) => {
                  URL.createObjectURL = make; done(blob.text()); return make.call(URL, blob);
                };
                document.getElementById('check-card').click();
              });
            })()"""
        )
        assert "| Ann | 0.0 | 8 |\n| Ben | 12.5 | 8 |\n| all | 6.3 | 16 |" in card
        assert "friendly" not in card
        await page.run("document.querySelector('#worst button').click()")
        await page.until("document.getElementById('audio').currentTime > 0")
        assert AMIABLE in await page.run(SHOWN)
        await choose(page, *files, tmp_path / "before.json", field="#check-files")
        await page.run("document.getElementById('check-form').requestSubmit()")
        await page.until(f"{figure}.includes(':')")
        assert "50.0 : 6.3" in await page.run(figure)
        await everywhere(page, "compared", tmp_path)
        assert page.complaints == []

    drive(steps)
    assert service.stop() == 0


def test_two_served_models_are_compared_and_the_places_that_differ_are_heard(
    site: Site, drive: Drive, tmp_path: Path
) -> None:
    first, library = write_model(tmp_path / "tones"), tmp_path / "library"
    write_mishearing(library / "other")
    service = serve(site, f"Mounts:Model={first}", f"Models:Path={library}")
    spoken = np.concatenate((silence(0.5), speak("go on now turn left again"), silence(1)))
    soundfile.write(tmp_path / "a.wav", spoken, RATE, "PCM_16")
    (tmp_path / "list.csv").write_text("path,text,speaker\na.wav,go on now turn left again,Ann\n")

    async def steps(page: Page) -> None:
        await page.open(f"{service.url}/listen")
        await page.until("document.querySelectorAll('#model option').length === 2")
        assert not await page.run("document.getElementById('model-line').hidden")
        await page.run(
            "const m = document.getElementById('model'); m.value = 'demo/other';"
            "m.dispatchEvent(new Event('change')); document.getElementById('check').open = true;"
        )
        assert "&cid=demo%2Fother" in await page.run("document.getElementById('snippet').innerText")
        await choose(page, tmp_path / "a.wav")
        await page.until("!document.getElementById('transcribe').disabled")
        await page.run("document.getElementById('form').requestSubmit()")
        await page.until(f"{SHOWN}.includes('tuln reft')")
        await page.run("document.getElementById('check-model').value = 'demo/production'")
        await choose(page, tmp_path / "a.wav", tmp_path / "list.csv", field="#check-files")
        await page.run("document.getElementById('check-form').requestSubmit()")
        await page.until("!document.getElementById('check-result').hidden")
        figure = await page.run("document.getElementById('check-figure').innerText")
        assert figure.startswith("0.0 : 33.3"), figure
        places = "[...document.querySelectorAll('#worst .places button')]"
        assert await page.run(f"{places}.map((one) => one.innerText)") == ["“turn left” heard as “tuln reft”"]
        await everywhere(page, "two", tmp_path)
        await page.run(f"{places}[0].click()")
        await page.until("document.getElementById('audio').currentTime > 0.9")
        await page.until("document.getElementById('audio').paused")
        assert await page.run("document.getElementById('audio').currentTime") < 3.0
        assert page.complaints == []

    drive(steps)
    assert service.stop() == 0


def test_the_place_of_a_word_that_the_transcript_has_in_digits_is_that_of_its_neighbours(
    site: Site, drive: Drive
) -> None:
    service = serve(site, "Models:Speech=commands")
    times = (("Pay", 0, 100), ("123", 100, 300), ("now.", 400, 100))
    spoken = [
        {"text": text, "offsetMilliseconds": start, "durationMilliseconds": length}
        for text, start, length in times
    ]
    texts = ("pay one two three now please", "pay one two tree now")

    async def steps(page: Page) -> None:
        await page.open(f"{service.url}/listen")
        found = await page.run(
            f"import('/static/listen/differing.js').then((m) => m.differing("
            f"{json.dumps(texts[0])}, {json.dumps(texts[1])}, {json.dumps(spoken)}))"
        )
        assert found == [
            {"said": "three", "heard": "tree", "start": 0, "end": 500},
            {"said": "please", "heard": "", "start": 400, "end": 500},
        ]

    drive(steps)
    assert service.stop() == 0


def test_a_recording_that_is_too_large_is_refused_before_it_is_sent(
    site: Site, drive: Drive, tmp_path: Path
) -> None:
    service = serve(site, "Speech:TranscribeBytes=40000")
    soundfile.write(tmp_path / "long.wav", amiable(), RATE, "PCM_16")
    outcome = "document.getElementById('outcome').innerText"

    async def steps(page: Page) -> None:
        await page.open(f"{service.url}/listen")
        await choose(page, tmp_path / "long.wav")
        await page.until("!document.getElementById('transcribe').disabled")
        await page.run("document.getElementById('form').requestSubmit()")
        await page.until(
            f"{outcome}.includes('has 0.10 MiB; this server takes 0.04 MiB at once. Save it as MP3')"
        )
        assert not [url for url in page.asked if "transcribe" in url]

    drive(steps)
    assert service.stop() == 0


def test_a_service_that_hangs_is_not_waited_for_for_ever(drive: Drive) -> None:
    async def steps(page: Page) -> None:
        with hanging_service() as address:
            await page.open(f"{address}/listen")
            await page.until(
                "document.getElementById('outcome').innerText.includes('has not answered for 1 seconds')"
            )

    drive(steps)


def test_a_key_that_no_header_takes_and_a_list_that_is_no_json_are_said_to_be_wrong(
    site: Site, drive: Drive, tmp_path: Path
) -> None:
    service = serve(site, f"ApiKeys:one={KEY}")
    (tmp_path / "list.json").write_text("{")
    (tmp_path / "a.wav").write_bytes(b"no sound")
    outcome = "document.getElementById('outcome').innerText"

    async def give(page: Page, key: str) -> None:
        await page.run(
            f"document.getElementById('key').value = {json.dumps(key)};"
            "document.getElementById('key').dispatchEvent(new Event('change'))"
        )

    async def steps(page: Page) -> None:
        await page.open(f"{service.url}/listen")
        await page.until("!document.getElementById('access').hidden")
        await give(page, "pass\u0142")
        await page.until(f"{outcome}.includes('does not know that access key')")
        await give(page, KEY)
        await page.until(f"{outcome} === ''")
        await choose(page, tmp_path / "list.json", tmp_path / "a.wav", field="#check-files")
        await page.run("document.getElementById('check-form').requestSubmit()")
        await page.until(f"{outcome}.includes('list.json is not JSON')")

    drive(steps)
    assert service.stop() == 0
