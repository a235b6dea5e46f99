"""A long recording takes bounded memory: its bytes lie there once, its samples never as a whole."""

import io
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.e2e.speech.test_rest import TRANSCRIBE, VERSION, wav
from tests.support.site import Service, Site
from tests.support.tones import silence, speak
from tests.support.webm import Written, as_webm, opus

MIB = 1 << 20
RATE = 8_000
MINUTE = np.concatenate((silence(20, rate=RATE), speak("turn left", rate=RATE)))
BESIDE = 24 * MIB
"""What the service may need beside the bytes of the recording: pieces of it, and what was heard."""


def minutes_of_sound(count: int) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """Each minute two words, else silence."""
    minute = np.concatenate((MINUTE, np.zeros(60 * RATE - len(MINUTE), np.float32)))
    return np.tile(minute, count)


def mu_law(count: int) -> bytes:
    data = io.BytesIO()
    soundfile.write(data, minutes_of_sound(count), RATE, "ULAW", format="WAV")
    return data.getvalue()


def flac(count: int) -> bytes:
    data = io.BytesIO()
    soundfile.write(data, minutes_of_sound(count), RATE, "PCM_16", format="FLAC")
    return data.getvalue()


def webm(count: int) -> bytes:
    """As a browser writes it, in clusters that know no size."""
    return as_webm(opus(minutes_of_sound(count), RATE), Written(known=False))


def wav_with_a_late_chunk(count: int) -> bytes:
    """Something follows the samples, and its header says so."""
    data = mu_law(count)
    return data + b"LIST" + struct.pack("<I", 4) + b"INFO"


def peak(service: Service) -> int:
    """Most memory that was resident since `forget_peak`, in bytes."""
    status = Path(f"/proc/{service.process.pid}/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024


def forget_peak(service: Service) -> None:
    Path(f"/proc/{service.process.pid}/clear_refs").write_text("5")


def growth(service: Service, recording: bytes, minutes: int) -> int:
    """How much the service grew over a recording, after one that is short."""
    with service.client() as client:
        client.timeout = 3_000
        client.post(TRANSCRIBE, params=VERSION, files={"audio": wav()}).raise_for_status()
        forget_peak(service)
        before = peak(service)
        reply = client.post(TRANSCRIBE, params=VERSION, files={"audio": recording})
    assert reply.status_code == 200, reply.text[:300]
    assert reply.json()["durationMilliseconds"] == minutes * 60_000
    assert [phrase["text"] for phrase in reply.json()["phrases"]] == ["Turn left."] * minutes
    return peak(service) - before


KINDS = [
    pytest.param(10),
    pytest.param(120, marks=[pytest.mark.slow, pytest.mark.timeout(3_600)]),
]


@pytest.mark.parametrize("minutes", KINDS)
@pytest.mark.parametrize("make", [mu_law, flac, webm, wav_with_a_late_chunk])
def test_a_long_recording_grows_the_service_by_little_more_than_its_bytes(
    new_site: Callable[..., Site], tones: Path, make: Callable[[int], bytes], minutes: int
) -> None:
    recording = make(minutes)
    service = new_site().start("Service=speechtotext", f"Mounts:Model={tones}", "Engine:Sessions=1")
    grown = growth(service, recording, minutes)
    assert grown < len(recording) + BESIDE, f"{grown / MIB:.1f} MiB for {len(recording) / MIB:.1f} MiB"
