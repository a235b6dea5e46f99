"""Random uses of a speech service, each with what it must count: WebSocket and HTTP, to the end or not."""

import contextlib
import io
import math
import random
import socket
import time
import wave as wavefile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import httpx2
import numpy as np
import soundfile
from numpy.typing import NDArray
from websockets.exceptions import ConnectionClosed

from tests.support.site import NO_TLS
from tests.support.usp import PATH, Wire, header, turn_id
from tests.support.webm import Written, as_webm, opus

Sound = NDArray[np.float32]
TICKS: Final = 10_000_000
TRANSCRIBE: Final = "/speechtotext/transcriptions:transcribe?api-version=2024-11-15"
RATES: Final = (8_000, 16_000, 16_000, 22_050, 44_100)
MODES: Final = ("interactive", "conversation", "dictation")
_NEARLY: Final = 1e-4  # seconds; the wire rounds to 100 ns, once a turn


@dataclass
class Counted:
    """What one connection or request must count.

    Attributes:
        what: What was done, for whoever reads a failure.
        least: Seconds that the service said it heard.
        most: Seconds that were sent; equal to `least` where all must count.
        requests: Ids in the ledger of what it did.
        entries: Names of its entries, where it was told them.
        named: Whether all that it did is known by those; else it left too early to learn its id.
    """

    what: str
    least: float = 0.0
    most: float = 0.0
    requests: list[str] = field(default_factory=list)
    entries: list[str] = field(default_factory=list)
    named: bool = True

    @property
    def fewest(self) -> int:
        """Whole seconds that it must count at least."""
        return math.ceil(self.least - _NEARLY)

    @property
    def highest(self) -> int:
        """Whole seconds that it may count at most."""
        return math.ceil(self.most - _NEARLY)

    def heard(self, least: float, most: float) -> None:
        """A turn is over: the service said so much of it was heard, and so much was sent."""
        self.least += least
        self.most += most


class Caller:
    """Somebody who uses the service in every way, one after another.

    Args:
        url: Of the service.
        seed: Of all that is random.
        sounds: What is said, at 16 kHz.
    """

    def __init__(self, url: str, seed: int, sounds: Sequence[Sound]) -> None:
        self._url = url
        self._random = random.Random(seed)  # noqa: S311 (repeatable, no secret)
        self._sounds = sounds

    def session(self) -> list[Counted]:
        """Use the service once, in a way that chance chooses; what each connection of it must count."""
        ways: Sequence[tuple[Callable[[], list[Counted]], int]] = (
            (self.converse, 10),
            (self.come_again, 3),
            (self.post, 4),
            (self.transcribe, 3),
            (self.break_a_post_off, 1),
            (self.post_what_is_no_audio, 1),
        )
        (chosen,) = self._random.choices([way for way, _ in ways], [weight for _, weight in ways])
        return chosen()

    def converse(self) -> list[Counted]:
        """One connection of some turns, in one mode."""
        mode = self._random.choice(MODES)
        found = Counted(mode)
        with Wire(self._url, mode) as wire:
            for _ in range(self._random.randint(1, 3)):
                if not self._turn(wire, found, mode, self._sound()):
                    break
        return [found]

    def come_again(self) -> list[Counted]:
        """Speak, lose the connection, and send the rest over another, from where the service had heard."""
        mode, sound = self._random.choice(MODES), self._sound()
        first, second = Counted(f"{mode}, lost"), Counted(f"{mode}, again")
        with Wire(self._url, mode) as wire:
            self._turn(wire, first, mode, sound, ending="leave")
            at = min(len(sound), round(wire.heard * 16_000 / TICKS))
        with Wire(self._url, mode) as wire:
            self._turn(wire, second, mode, sound[at:], ending="end", rate=16_000)
        return [first, second]

    def _turn(
        self, wire: Wire, found: Counted, mode: str, sound: Sound, *, ending: str = "", rate: int = 0
    ) -> bool:
        """One turn; whether another may follow on the connection."""
        ending = ending or self._random.choices(["end", "break", "leave", "vanish"], [12, 2, 2, 1])[0]
        rate = rate or (self._random.choice(RATES) if ending == "end" else 16_000)
        found.what += f", {ending} at {rate}"
        turn, wire.heard = turn_id(), 0
        pcm = _pcm(resampled(sound, rate))
        wire.audio(turn, header(rate))
        if ending == "vanish":
            found.named = False
            self._send(wire, turn, pcm[: self._random.randrange(len(pcm) + 1)])
            wire.socket.socket.close()
            found.heard(0.0, len(pcm) / 2 / rate)
            return False
        found.requests += [self._begin(wire)]
        if ending == "end":
            self._send(wire, turn, pcm)
            wire.audio(turn, b"")
            wire.until("turn.end")
            seconds = len(pcm) / 2 / rate
            heard = min(seconds, wire.heard / TICKS) if mode == "interactive" else seconds
            found.heard(heard, heard)
            return True
        pcm = pcm[: self._random.randrange(2, len(pcm)) & ~1]
        self._send(wire, turn, pcm)
        found.heard(self._listen(wire), len(pcm) / 2 / rate)
        if ending == "leave":
            if self._random.random() < 0.5:
                wire.socket.socket.close()
            return False
        return True

    def _begin(self, wire: Wire) -> str:
        """Wait until the service has begun a turn; its id in the ledger."""
        (*_, (_, body)) = wire.until("turn.start")
        tag = str(body["context"]["serviceTag"])
        return "-".join((tag[:8], tag[8:12], tag[12:16], tag[16:20], tag[20:]))

    def _send(self, wire: Wire, turn: str, pcm: bytes) -> None:
        """Send in pieces of any size, with a pause now and then."""
        most = self._random.choice((700, 3_200, 9_001, 64_000))
        at = 0
        while at < len(pcm):
            size = self._random.randint(1, most)
            wire.audio(turn, pcm[at : at + size])
            at += size
            if self._random.random() < 0.05:
                time.sleep(self._random.random() * 0.05)

    def _listen(self, wire: Wire) -> float:
        """Listen for a while; seconds of the turn that the service has spoken of."""
        said = 0.0
        with contextlib.suppress(TimeoutError, ConnectionClosed):
            for _ in range(self._random.randrange(6)):
                path, _, body = wire.receive(0.3)
                if path in ("speech.hypothesis", "speech.phrase"):
                    said = max(said, float(body["Offset"] + body.get("Duration", 0)))
                if path == "turn.end":
                    break
        # An answer may end a millisecond behind the audio, so that the client does not come back for it.
        return max(0.0, said / TICKS - 0.001)

    def post(self) -> list[Counted]:
        """Short audio in any format."""
        sound = self._sound()
        kind, data, seconds = self._written(sound, channels=1)
        found = Counted(f"short audio, {kind}")
        with self._client() as client:
            place = PATH.format(mode=self._random.choice(MODES)) + "?language=en-US"
            pieces = self._pieces(data) if self._random.random() < 0.5 else data
            reply = client.post(place, content=pieces, headers={"Content-Type": "audio/x"})
        assert reply.status_code == 200, (found.what, reply.text)
        found.heard(seconds, seconds)
        found.entries.append(reply.headers["Usage-Record"])
        return [found]

    def transcribe(self) -> list[Counted]:
        """A whole file; now and then channel by channel."""
        channels = self._random.choice((1, 1, 2))
        kind, data, seconds = self._written(self._sound(), channels=channels)
        asked = channels == 2 and self._random.random() < 0.5
        found = Counted(f"transcribe, {kind}, {channels} channels, {asked=}")
        parts: dict[str, Any] = {"audio": ("a", data)}
        if asked:
            parts["definition"] = (None, '{"channels":[0,1]}')
        with self._client() as client:
            reply = client.post(TRANSCRIBE, files=parts)
        assert reply.status_code == 200, (found.what, reply.text)
        units = float(2 * math.ceil(seconds - _NEARLY) if asked else seconds)
        found.heard(units, units)
        found.entries.append(reply.headers["Usage-Record"])
        return [found]

    def break_a_post_off(self) -> list[Counted]:
        """Leave in the midst of an upload, or behind it without waiting for the answer."""
        _, data, seconds = self._written(self._sound(), channels=1)
        whole = self._random.random() < 0.5
        place = PATH.format(mode="conversation") + "?language=en-US"
        head = f"POST {place} HTTP/1.1\r\nHost: x\r\nContent-Type: audio/x\r\n"
        head += f"Content-Length: {len(data)}\r\n\r\n"
        host, _, port = self._url.removeprefix("http://").partition(":")
        with socket.create_connection((host, int(port))) as opened:
            opened.sendall(head.encode() + (data if whole else data[: self._random.randrange(len(data))]))
            if whole:
                time.sleep(self._random.random() * 0.2)
        found = Counted(f"short audio, left, {whole=}", named=False)
        found.heard(0.0, seconds if whole else 0.0)
        return [found]

    def post_what_is_no_audio(self) -> list[Counted]:
        """A broken file is refused, and counts nothing."""
        data = b"RIFF" + self._random.randbytes(self._random.randrange(3_000))
        with self._client() as client:
            if self._random.random() < 0.5:
                reply = client.post(PATH.format(mode="dictation") + "?language=en-US", content=data)
            else:
                reply = client.post(TRANSCRIBE, files={"audio": ("a.wav", data)})
        assert reply.status_code in (400, 415), reply.text
        return [Counted("no audio")]

    def _client(self) -> httpx2.Client:
        return httpx2.Client(base_url=self._url, timeout=60, trust_env=False, verify=NO_TLS)

    def _pieces(self, data: bytes) -> Any:
        at = 0
        while at < len(data):
            size = self._random.randint(1, 8_192)
            yield data[at : at + size]
            at += size

    def _sound(self) -> Sound:
        """Somebody speaks, or nobody does; of any length from 0.06 to 5 seconds."""
        parts = []
        for _ in range(self._random.randint(1, 2)):
            parts += [self._random.choice(self._sounds), np.zeros(self._random.randrange(16_000), np.float32)]
        if self._random.random() < 0.15:
            parts = [np.zeros(self._random.randrange(1_000, 40_000), np.float32)]
        whole = np.concatenate(parts)
        if self._random.random() < 0.2:  # exactly on a second, where rounding errs
            return whole[: max(1, len(whole) // 16_000) * 16_000]
        return whole[: self._random.randrange(1_000, 80_000)]

    def _written(self, sound: Sound, *, channels: int) -> tuple[str, bytes, float]:
        """A file of the sound: its kind, its bytes, and how long it is."""
        rate = self._random.choice(RATES)
        samples = resampled(sound, rate)
        if channels == 2:
            samples = np.stack((samples, 0.5 * samples), axis=1)
        kind = self._random.choice(("WAV", "FLAC", "OGG", "WEBM"))
        if kind == "WAV":
            return kind, _wav(samples, rate), len(samples) / rate
        if kind == "FLAC":
            data = io.BytesIO()
            soundfile.write(data, samples, rate, "PCM_16", format="FLAC")
            return kind, data.getvalue(), len(samples) / rate
        rate = rate if rate in (8_000, 16_000) else 16_000
        samples = resampled(sound, rate)
        if channels == 2:
            samples = np.stack((samples, 0.5 * samples), axis=1)
        ogg = opus(samples, rate)
        data_of = as_webm(ogg, Written(known=self._random.random() < 0.5)) if kind == "WEBM" else ogg
        return kind, data_of, len(samples) / rate


def resampled(sound: Sound, rate: int) -> Sound:
    """The sound at another rate, roughly: its length is what matters here."""
    if rate == 16_000:
        return sound
    count = len(sound) * rate // 16_000
    found: Sound = np.interp(np.arange(count) * 16_000 / rate, np.arange(len(sound)), sound).astype(
        np.float32
    )
    return found


def _pcm(sound: Sound) -> bytes:
    return (np.clip(sound, -1, 1) * 32_767).astype("<i2").tobytes()


def _wav(samples: Sound, rate: int) -> bytes:
    data = io.BytesIO()
    with wavefile.open(data, "wb") as file:
        file.setparams((1 if samples.ndim == 1 else 2, 2, rate, 0, "NONE", "not compressed"))
        file.writeframes(_pcm(samples.ravel()))
    return data.getvalue()
