"""Synthetic voices for words that few speakers say: letters, digits, numbers, dates, commands, orders.

espeak-ng speaks (GPL-3.0, run as a program at training time alone; nothing of it is in the model).
"""

import io
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import soundfile
import soxr

from recipes.speech.clips import RATE, Clip

VOICES = ("en-us", "en-us", "en-us", "en-gb", "en-gb-x-rp", "en-gb-scotland", "en-029", "en-us-nyc")
VARIANTS = (
    "m1",
    "m2",
    "m3",
    "m4",
    "m5",
    "m6",
    "m7",
    "f1",
    "f2",
    "f3",
    "f4",
    "f5",
    "Andy",
    "linda",
    "grandma",
)
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
TEENS = (
    *("ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen"),
    "nineteen",
)
TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
ORDINALS = (
    *("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth"),
    *("eleventh", "twelfth", "thirteenth", "fourteenth", "fifteenth", "sixteenth", "seventeenth"),
    *("eighteenth", "nineteenth", "twentieth", "thirtieth"),
)
MONTHS = (
    *("january", "february", "march", "april", "may", "june", "july", "august", "september", "october"),
    *("november", "december"),
)
COMMANDS = ("enter", "erase", "rubout", "go", "help", "stop", "start", "repeat", "yes", "no")
LETTERS = "abcdefghijklmnopqrstuvwxyz"

Random = np.random.Generator


def phrase(random: Random, orders: Sequence[str]) -> str:
    """Make up something to say, of the kinds the recordings hold."""
    pick = random.choice
    letters = " ".join(pick(list(LETTERS), random.integers(1, 9)))
    day = pick(ORDINALS) if random.random() < 0.5 else number(random)
    kinds = (
        letters,
        " ".join(pick([*DIGITS, "oh"], random.integers(1, 11))),
        f"{pick(['enter', 'erase', 'rubout'])} {letters[:7]} {number(random)}",
        f"{pick(MONTHS)} {day} {year(random)}",
        pick(COMMANDS),
        f"{number(random)} {pick([*MONTHS, *ORDINALS, *TEENS, *TENS])}",
        pick(orders),
    )
    return str(kinds[int(random.integers(len(kinds)))])


def number(random: Random) -> str:
    """Say a number below a hundred, or a few digits."""
    kind = random.integers(4)
    if kind == 0:
        return f"{random.choice(TENS)} {random.choice(DIGITS[1:])}"
    if kind == 1:
        return str(random.choice([*TENS, *TEENS]))
    if kind == 2:
        return f"{random.choice(DIGITS[1:])} {random.choice(['hundred', 'thousand'])}"
    return " ".join(random.choice(DIGITS, random.integers(1, 4)))


def year(random: Random) -> str:
    """Say a year of the last century."""
    return f"nineteen {random.choice(TENS)} {random.choice(DIGITS[1:])}"


def spoken(text: str, pauses: float, random: Random) -> str:
    """Return the words as espeak-ng reads them: letters by name, with a comma after some words."""
    words = []
    for word in text.split():
        # A lone "a" would be read as the article: say the letter's name.
        said = "[[eI]]" if word == "a" and " shot" not in text and " roast" not in text else word
        words.append(said + ("," if random.random() < pauses else ""))
    return " ".join(words)


def synthetic(count: int, orders: Sequence[str], seed: int) -> Iterator[Clip]:
    """Speak `count` made-up phrases in mixed voices, tempos and pitches."""
    random = np.random.default_rng(seed)
    for _ in range(count):
        text = phrase(random, orders)
        voice = f"{random.choice(VOICES)}+{random.choice(VARIANTS)}"
        pauses = random.choice([0, 0.2, 0.9])
        command = ["espeak-ng", "-v", voice, "-s", str(random.integers(110, 210))]
        command += ["-p", str(random.integers(20, 80)), "--stdout", spoken(text, pauses, random)]
        answer = subprocess.run(command, capture_output=True, check=True).stdout  # noqa: S603
        wave, rate = soundfile.read(io.BytesIO(answer), dtype="float32")
        wave = np.asarray(soxr.resample(wave, rate, RATE), dtype=np.float32)
        yield Clip(wave=trimmed(wave), text=text, corpus="synthetic", speaker=voice)


def trimmed(wave: np.ndarray) -> np.ndarray:
    """Cut the silence at both ends."""
    loud = np.flatnonzero(np.abs(wave) > 0.01)
    return wave[loud[0] : loud[-1] + 1] if len(loud) else wave


def kept(path: Path, clips: Iterator[Clip]) -> list[Clip]:
    """Return the clips held in `path` (.npz), or make and write them."""
    if not path.exists():
        made = list(clips)
        ends = np.cumsum([len(clip.wave) for clip in made])
        np.savez(
            path,
            waves=(np.concatenate([clip.wave for clip in made]) * 32767).astype(np.int16),
            ends=ends,
            texts=[clip.text for clip in made],
            speakers=[clip.speaker for clip in made],
        )
    with np.load(path) as held:
        waves = np.split(held["waves"].astype(np.float32) / 32768, held["ends"][:-1])
        rows = zip(waves, held["texts"], held["speakers"], strict=True)
        return [Clip(wave=w, text=str(t), corpus="synthetic", speaker=str(s)) for w, t, s in rows]
