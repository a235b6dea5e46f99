"""What one training example is made of: a recording, several joined, or no speech at all."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from recipes.speech.augment import Chances, Noises, Random, changed, noise, rms
from recipes.speech.clips import RATE, Clip, Wave, by_speaker

LONGEST = 16 * RATE


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """How often an example is of each kind; they need not add up to one."""

    commands: float = 0.30
    orders: float = 0.20
    digit: float = 0.09
    strings: float = 0.17
    synthetic: float = 0.14
    silence: float = 0.02
    cuts: float = 0.0
    joined: float = 0.2


@dataclass(frozen=True, slots=True)
class Sources:
    """The recordings to draw from. `cuts` are single words cut out of longer recordings."""

    clips: Sequence[Clip]
    synthetic: Sequence[Clip]
    cuts: Sequence[Clip] = ()
    shares: Shares = field(default_factory=Shares)
    chances: Chances = field(default_factory=Chances)

    def drawer(self) -> "Drawer":
        """Return what draws examples."""
        return Drawer(self)


class Drawer:
    """Draws examples: (wave float32 [samples], text)."""

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self.commands = [clip for clip in sources.clips if clip.corpus == "commands-an4"]
        self.orders = [clip for clip in sources.clips if clip.corpus == "orders-barista"]
        self.digits = list(by_speaker([c for c in sources.clips if c.corpus == "digits-fsdd"]).values())
        self.cuts = list(by_speaker(sources.cuts).values())
        self.same = {
            **by_speaker(self.commands),
            **by_speaker(self.orders),
            **by_speaker(sources.synthetic),
        }
        self.voices = [clip.wave for clip in [*self.commands, *self.orders]]
        self.noises = Noises(np.random.default_rng(0))
        shares = sources.shares
        self.kinds = {
            "commands": shares.commands,
            "orders": shares.orders,
            "digit": shares.digit,
            "strings": shares.strings,
            "synthetic": shares.synthetic,
            "silence": shares.silence,
            "cuts": shares.cuts if self.cuts else 0.0,
        }

    def draw(self, random: Random, *, gentle: bool = False) -> tuple[Wave, str]:
        """Return one example, changed as chance has it, or `gentle`: without rooms and noise."""
        weights = np.array(list(self.kinds.values()))
        kind = random.choice(list(self.kinds), p=weights / weights.sum())
        if kind == "silence":
            wave = noise(random, int(RATE * random.uniform(0.5, 4)))
            return (wave * 10 ** (random.uniform(-70, -15) / 20)).clip(-1, 1).astype(np.float32), ""
        parts = self.parts(kind, random)
        gap = random.choice([0.0, 0.05, 0.15, 0.4])
        wave = joined([clip.wave for clip in parts], gap, random)
        text = " ".join(clip.text for clip in parts)
        chances = self.sources.chances
        if gentle:
            chances = replace(chances, room=0, noisy=0, resampled=0.2, level=(-30, -15))
        return changed(wave, random, chances, self.noises, self.voices), text

    def parts(self, kind: str, random: Random) -> list[Clip]:
        """Choose the recordings of an example; those joined are one speaker's."""
        if kind == "digit":
            return self.some(self.digits, 1, random)
        if kind == "strings":
            return self.some(self.digits, int(random.integers(2, 13)), random)
        if kind == "cuts":
            return self.some(self.cuts, 1 if random.random() < 0.4 else int(random.integers(2, 11)), random)
        pool = {"commands": self.commands, "orders": self.orders}.get(kind, self.sources.synthetic)
        first = pool[int(random.integers(len(pool)))]
        if random.random() >= self.sources.shares.joined:
            return [first]
        others = self.same[first.speaker]
        second = others[int(random.integers(len(others)))]
        return [first, second] if len(first.wave) + len(second.wave) < LONGEST else [first]

    def some(self, speakers: Sequence[Sequence[Clip]], count: int, random: Random) -> list[Clip]:
        """Choose recordings of one speaker, or rarely of all."""
        pool = speakers[int(random.integers(len(speakers)))]
        chosen = []
        for _ in range(count):
            if random.random() < 0.05:
                pool = speakers[int(random.integers(len(speakers)))]
            chosen.append(pool[int(random.integers(len(pool)))])
        return chosen


def joined(waves: Sequence[Wave], gap: float, random: Random) -> Wave:
    """Put waves one after the other, levelled, with gaps of about so many seconds and silence around."""
    ends = random.uniform(0, 0.4), random.choice([0.0, 0.2, 0.3, 0.6])
    parts = [np.zeros(int(RATE * ends[0]), np.float32)]
    target = rms(waves[0])
    for number, wave in enumerate(waves):
        level = 1.0 if len(waves) == 1 else target / rms(wave) * 10 ** (random.normal(0, 2.5) / 20)
        parts.append(faded(wave) * np.float32(level))
        if number + 1 < len(waves):
            parts.append(np.zeros(int(RATE * gap * random.uniform(0.4, 1.6)), np.float32))
    parts.append(np.zeros(int(RATE * ends[1]), np.float32))
    return np.concatenate(parts)


def faded(wave: Wave) -> Wave:
    """Return the wave with 4 ms of rise and fall, so that a join does not click."""
    edge = min(64, len(wave) // 2)
    ramp = np.linspace(0, 1, edge, dtype=np.float32)
    shaped = wave.copy()
    shaped[:edge] *= ramp
    shaped[len(wave) - edge :] *= ramp[::-1]
    return shaped
