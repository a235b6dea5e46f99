"""Recordings with transcripts as a Whisper learns from them: samples, tokens, and who examines it."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

import numpy as np
from numpy.typing import NDArray

from appliance.datasets.label_errors import DatasetError
from appliance.speech.audio.errors import AudioError, AudioTooLong
from appliance.speech.audio.reader import Sound
from appliance.speech.audio.wav import Samples
from appliance.speech.dataset.recordings import RecordingSet
from appliance.speech.dataset.transcripts import Recording
from appliance.speech.evaluation.evaluate import MAX_SECONDS, Told
from appliance.speech.whisper.features import RATE
from appliance.speech.whisper.tokens import WhisperTokens

LONGEST: Final = 29.0
"""Seconds of a recording to learn from: with the silence around it, it fits the longest window."""
LEAST: Final = 30
"""Recordings; fewer teach nothing that could be measured."""
MAX_HOURS: Final = 12.0
"""Of recordings to learn from; they are kept in memory, at 115 MB an hour."""
HELD: Final = 0.1
"""Share of the recordings that examine."""
_MOST_HELD: Final = 0.25
_FULL: Final = 32_767


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A recording to learn from.

    Attributes:
        sound: Samples in 16 bits, at 16 kHz.
        tokens: The prompt, the text, and the token that ends it.
        prompt: How many of them are the prompt.
    """

    sound: NDArray[np.int16]
    tokens: tuple[int, ...]
    prompt: int

    def samples(self) -> Samples:
        """Samples from -1 to 1."""
        found: Samples = self.sound.astype(np.float32) / np.float32(_FULL + 1)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Which recordings teach, and which examine.

    Attributes:
        taught: The first.
        held: The others.
        how: Who they are, in words.
    """

    taught: tuple[Recording, ...]
    held: tuple[Recording, ...]
    how: str


def hold_back(recordings: Sequence[Recording], *, seed: int) -> Parts:
    """Divide recordings: whole speakers examine; where that cannot be, some recordings drawn by chance.

    Raises:
        DatasetError: There are too few.
    """
    if len(recordings) < LEAST:
        raise DatasetError(
            f"{len(recordings)} recordings are too few to learn from and to examine on",
            hint=f"record at least {LEAST}; some hundreds by several people are better",
        )
    random = Random(seed)  # noqa: S311
    wanted, most = round(HELD * len(recordings)), _MOST_HELD * len(recordings)
    by_speaker: dict[str, list[Recording]] = {}
    for one in recordings:
        by_speaker.setdefault(one.speaker, []).append(one)
    names = sorted(set(by_speaker) - {""})
    random.shuffle(names)
    held: list[Recording] = []
    speakers = 0
    for name in names:
        if len(held) < wanted and len(held) + len(by_speaker[name]) <= most:
            held += by_speaker[name]
            speakers += 1
    if len(held) >= wanted / 2:
        how = f"{len(held)} recordings of {speakers} speaker{'s' * (speakers > 1)} whom it has not heard"
    else:
        held = random.sample(list(recordings), wanted)
        how = (
            f"{len(held)} recordings drawn by chance, so it has heard their speakers: for others expect more"
            " errors"
        )
    chosen = {one.line for one in held}
    return Parts(
        taught=tuple(one for one in recordings if one.line not in chosen),
        held=tuple(one for one in recordings if one.line in chosen),
        how=how,
    )


def read_examples(
    listed: RecordingSet, chosen: Sequence[Recording], tokens: WhisperTokens, language: str, *, told: Told
) -> tuple[list[Example], int]:
    """Read recordings to learn from, and count those that are left out.

    Left out are recordings without text, and those that are longer than a window or a decoder holds.

    Args:
        listed: Where they are.
        chosen: Which of them.
        tokens: Of the model.
        language: Code of the language; not looked at where the model knows English alone.
        told: Hears of the progress.

    Raises:
        DatasetError: A recording cannot be read, or all of them are too long together.
    """
    prompt = tokens.begin(language)
    found: list[Example] = []
    seconds, left_out = 0.0, 0
    for number, one in enumerate(chosen, 1):
        sound = read_sound(listed, one)
        text = [*prompt, *tokens.encode(f" {one.text}"), tokens.config.end]
        told(f"reading {number} of {len(chosen)} recordings", number / len(chosen))
        if not one.text or len(sound) > LONGEST * RATE or len(text) > tokens.config.positions:
            left_out += 1
            continue
        seconds += len(sound) / RATE
        if seconds > MAX_HOURS * 3600:
            raise DatasetError(
                f"{listed.name} holds more than {MAX_HOURS:g} hours", hint="choose fewer recordings"
            )
        found.append(Example(sound=sound, tokens=tuple(text), prompt=len(prompt)))
    return found, left_out


def read_sound(listed: RecordingSet, one: Recording) -> NDArray[np.int16]:
    """Samples of a recording in 16 bits, at 16 kHz, its channels mixed.

    Raises:
        DatasetError: It cannot be read; the line is named.
    """
    try:
        blocks = list(Sound.open(listed.read(one)).blocks(RATE, max_seconds=MAX_SECONDS))
    except (AudioError, AudioTooLong) as error:
        place = f"{listed.name}, line {one.line}: {one.path}"
        raise DatasetError(f"{place}: {error.message}", hint=error.hint) from error
    samples = np.concatenate(blocks) if blocks else np.zeros(0, np.float32)
    found: NDArray[np.int16] = np.clip(np.rint(samples * (_FULL + 1)), -_FULL, _FULL).astype(np.int16)
    return found
