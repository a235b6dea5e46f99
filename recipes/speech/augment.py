"""Changes to recordings: level, rooms, noise, bandwidth, tempo. Waves are float32 [samples] at 16 kHz."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import soxr

from recipes.speech.clips import RATE, Wave

Random = np.random.Generator


@dataclass(frozen=True, slots=True, kw_only=True)
class Chances:
    """How often each change is made, and how far it goes."""

    resampled: float = 0.5
    slowest: float = 0.88
    fastest: float = 1.16
    room: float = 0.2
    narrow: float = 0.3
    coloured: float = 0.35
    noisy: float = 0.4
    babble: float = 0.3
    snr: tuple[float, float] = (3.0, 30.0)
    level: tuple[float, float] = (-52.0, -10.0)


def rms(wave: Wave) -> float:
    """Return the root mean square of the louder half of 20 ms pieces, so that pauses do not count."""
    size = RATE // 50
    pieces = wave[: len(wave) // size * size].reshape(-1, size)
    if not len(pieces):
        return float(np.sqrt(np.mean(wave**2) + 1e-12)) if len(wave) else 1e-6
    powers = np.sort(np.mean(pieces**2, axis=1))[len(pieces) // 2 :]
    return float(np.sqrt(powers.mean() + 1e-12))


def resampled(wave: Wave, factor: float) -> Wave:
    """Play `factor` times as fast: tempo, pitch and formants rise together."""
    return np.asarray(soxr.resample(wave, RATE * factor, RATE, quality="LQ"), dtype=np.float32)


def filtered(wave: Wave, random: Random, chances: Chances) -> Wave:
    """Pass the wave through a room, a microphone's colour and a telephone's bandwidth, as chance has it."""
    chosen = random.random(3) < (chances.room, chances.coloured, chances.narrow)
    if not chosen.any():
        return wave
    size = 1 << int(len(wave) + RATE // 2).bit_length()
    gain: np.ndarray = np.ones(size // 2 + 1, dtype=np.complex64)
    frequencies = np.arange(size // 2 + 1) * RATE / size
    if chosen[0]:
        gain = gain * np.fft.rfft(room(random), size)
    if chosen[1]:
        points = np.concatenate([[0], np.geomspace(80, 8000, 9)])
        decibels = np.cumsum(random.normal(0, 2.5, len(points)))
        gain = gain * 10 ** (np.interp(frequencies, points, decibels - decibels.mean()) / 20)
    if chosen[2]:
        high = random.uniform(3300, 4000)
        low = random.choice([0, 0, 200, 300])
        gain = gain / (1 + (frequencies / high) ** 40)
        if low:
            gain = gain * (1 - 1 / (1 + (frequencies / low) ** 8))
    spectrum = np.fft.rfft(wave, size) * gain.astype(np.complex64)
    return np.fft.irfft(spectrum, size)[: len(wave)].astype(np.float32)


def room(random: Random) -> Wave:
    """Return an impulse response: the direct sound, then noise that dies away in 0.1 to 0.6 s (60 dB)."""
    length = random.uniform(0.1, 0.6)
    times = np.arange(int(RATE * length)) / RATE
    tail = random.normal(size=len(times)) * 10 ** (-3 * times / length)
    start = int(RATE * random.uniform(0.001, 0.012))
    tail[:start] = 0
    tail *= 10 ** (random.uniform(-16, 2) / 20) / np.sqrt((tail**2).sum() + 1e-9)
    tail[0] = 1
    return tail.astype(np.float32)


def noise(random: Random, samples: int) -> Wave:
    """Return noise of a random colour and steadiness with root mean square 1."""
    size = 1 << int(samples).bit_length()
    frequencies = np.arange(size // 2 + 1) * RATE / size + 20
    kind = random.integers(4)
    if kind == 0:
        gain = np.ones_like(frequencies)
    elif kind == 1:
        gain = frequencies ** -random.uniform(0.2, 1.2)
    elif kind == 2:
        points = np.geomspace(50, 8000, 12)
        gain = 10 ** (np.interp(frequencies, points, random.normal(0, 8, len(points))) / 20)
    else:
        base = random.choice([50, 60, random.uniform(80, 400)])
        gain = 0.02 + sum(np.exp(-(((frequencies - 20 - base * n) / 3) ** 2)) / n for n in range(1, 9))
    phases = random.normal(size=len(gain)) + 1j * random.normal(size=len(gain))
    made = np.fft.irfft(phases * gain, size)[:samples]
    if random.random() < 0.4:
        knots = random.normal(0, 5, 2 + samples // (RATE // 4))
        made *= 10 ** (np.interp(np.arange(samples), np.linspace(0, samples, len(knots)), knots) / 20)
    return np.asarray(made / (np.sqrt(np.mean(made**2)) + 1e-9), dtype=np.float32)


class Noises:
    """Noises made once, to take pieces of: one for each example would cost more than all other changes."""

    def __init__(self, random: Random, count: int = 96, seconds: int = 16) -> None:
        self.held = [noise(random, seconds * RATE) for _ in range(count)]

    def piece(self, random: Random, samples: int) -> Wave:
        """Return a piece of one of the noises, with root mean square 1."""
        made = self.held[random.integers(len(self.held))]
        start = int(random.integers(len(made)))
        piece = (
            np.resize(made[start:], samples) if start + samples > len(made) else made[start : start + samples]
        )
        return np.asarray(piece / (np.sqrt(np.mean(piece**2)) + 1e-9), dtype=np.float32)


def babble(random: Random, samples: int, voices: Sequence[Wave]) -> Wave:
    """Return one to six voices at once, some played backwards, with root mean square 1."""
    mixed = np.zeros(samples, dtype=np.float32)
    for _ in range(random.integers(1, 7)):
        wave = voices[int(random.integers(len(voices)))]
        wave = wave[::-1] if random.random() < 0.5 else wave
        looped = np.resize(np.concatenate([wave, np.zeros(RATE // 8, np.float32)]), samples)
        mixed += np.roll(looped, random.integers(samples)) * random.uniform(0.4, 1) / rms(wave)
    return np.asarray(mixed / (np.sqrt(np.mean(mixed**2)) + 1e-9), dtype=np.float32)


def changed(wave: Wave, random: Random, chances: Chances, noises: Noises, voices: Sequence[Wave]) -> Wave:
    """Return the wave as another microphone, room and level would have it, at another tempo."""
    if random.random() < chances.resampled:
        wave = resampled(wave, random.uniform(chances.slowest, chances.fastest))
    wave = filtered(wave, random, chances)
    loud = rms(wave)
    # A little steady noise always: a recording without any is rarer in use than in these corpora.
    wave = wave + noises.piece(random, len(wave)) * loud * np.float32(10 ** (-random.uniform(28, 60) / 20))
    if random.random() < chances.noisy:
        kind = random.random() < chances.babble
        other = babble(random, len(wave), voices) if kind else noises.piece(random, len(wave))
        low, high = chances.snr
        wave = wave + other * loud * np.float32(10 ** (-random.uniform(low + 4 * kind, high) / 20))
    wave = wave * np.float32(10 ** (random.uniform(*chances.level) / 20) / loud)
    return np.clip(wave, -1, 1).astype(np.float32)
