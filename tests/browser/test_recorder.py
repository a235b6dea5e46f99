"""What the MediaRecorder of a real browser records is posted as it is, and says what the recording says."""

import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from appliance.config.products import SPEECH_TO_TEXT
from tests.support.browser import Drive, Page, drive, needs_chromium
from tests.support.dictation import AMIABLE, RATE, amiable
from tests.support.recorder import record
from tests.support.site import Site
from tests.support.usp import PATH

__all__ = ["drive"]
pytestmark = [pytest.mark.e2e, needs_chromium]
SHORT = PATH.format(mode="interactive") + "?language=en-US"
POST = f"""fetch('{SHORT}', {{method: 'POST', body: window.recording}})
  .then(async (reply) => ({{status: reply.status, body: await reply.json()}}))"""
FORM = """(() => {
  const form = new FormData();
  form.append('audio', window.recording, 'dictation.webm');
  return fetch('/speechtotext/transcriptions:transcribe?api-version=2024-11-15', {method: 'POST', body: form})
    .then(async (reply) => ({status: reply.status, body: await reply.json()}));
})()"""


def test_a_page_records_and_posts_what_it_recorded(site: Site, drive: Drive, tmp_path: Path) -> None:
    site.issue(product="speech", meters={SPEECH_TO_TEXT.meter: 1_000})
    service = site.start("Service=speechtotext")
    samples = np.concatenate((amiable(), np.zeros(RATE // 4, np.float32)))
    found: dict[str, Any] = {}

    async def steps(page: Page) -> None:
        await page.open(f"{service.url}/")
        found["recorded"] = await record(page, samples, RATE, slice_ms=250)
        found["short"] = await page.run(POST)
        found["whole"] = await page.run(FORM)

    drive(steps)
    assert found["recorded"].startswith(b"\x1a\x45\xdf\xa3")
    with wave.open(str(tmp_path / "same.wav"), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", "not compressed"))
        file.writeframes((samples * 32_767).astype("<i2").tobytes())
    with service.client() as client:
        reply = client.post(
            SHORT, content=(tmp_path / "same.wav").read_bytes(), headers={"Content-Type": "audio/wav"}
        )
    assert reply.json()["DisplayText"] == AMIABLE
    assert (found["short"]["status"], found["short"]["body"]["DisplayText"]) == (200, AMIABLE)
    assert (found["whole"]["status"], found["whole"]["body"]["combinedPhrases"]) == (200, [{"text": AMIABLE}])
    assert service.stop() == 0
