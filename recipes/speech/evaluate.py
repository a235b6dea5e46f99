"""Score a speech model folder: `python -m recipes.speech.evaluate`.

Words wrong (substituted, left out or put in) for each word said, over speakers the model never heard: greedy,
and by prefix beam with the folder's word list. Connected digits are joined from single ones with gaps, and
then again with noise.
"""

import argparse
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from appliance.speech.evaluation.word_errors import compared
from recipes.speech.clips import CORPORA, RATE, Clip, Wave, read_part
from recipes.speech.recognizer import Recogniser

BUNDLED = Path(__file__).parents[2] / "appliance" / "bundled" / "speech-en"
DATA = Path("../shared/data/speech")
DECIBELS = (20, 10, 5)
LONGEST, STRINGS = 12, 10
Decode = Callable[[Wave], tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Counts over recordings: word errors, and recordings without any, each (greedy, word list)."""

    recordings: int = 0
    words: int = 0
    wrong: tuple[int, int] = (0, 0)
    exact: tuple[int, int] = (0, 0)

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            recordings=self.recordings + other.recordings,
            words=self.words + other.words,
            wrong=(self.wrong[0] + other.wrong[0], self.wrong[1] + other.wrong[1]),
            exact=(self.exact[0] + other.exact[0], self.exact[1] + other.exact[1]),
        )

    def rates(self) -> dict[str, float]:
        """Return word error rates and shares of recordings wholly right, in per cent."""
        words, count = max(1, self.words), max(1, self.recordings)
        return {
            "wer_greedy": round(100 * self.wrong[0] / words, 2),
            "wer_words": round(100 * self.wrong[1] / words, 2),
            "right_greedy": round(100 * self.exact[0] / count, 1),
            "right_words": round(100 * self.exact[1] / count, 1),
        }


def strings(clips: Sequence[Clip], seed: int = 7) -> list[Clip]:
    """Join single digits to strings of 1 to 12 with gaps of 0.05 to 0.35 s, ten of each length."""
    random = np.random.default_rng(seed)
    made = []
    for length in range(1, LONGEST + 1):
        for _ in range(STRINGS):
            chosen = [clips[int(random.integers(len(clips)))] for _ in range(length)]
            parts = [np.zeros(RATE // 4, np.float32)]
            for clip in chosen:
                parts += [clip.wave, np.zeros(int(RATE * random.uniform(0.05, 0.35)), np.float32)]
            made.append(
                Clip(
                    wave=np.concatenate(parts),
                    text=" ".join(clip.text for clip in chosen),
                    corpus="strings",
                    speaker=f"{length:2} digits",
                )
            )
    return made


def noisy(clip: Clip, decibels: float, colour: float, seed: int) -> Clip:
    """Add noise (`colour` 0 white, 1 pink) of a power so many decibels under that of the speech."""
    random = np.random.default_rng(seed)
    size = len(clip.wave)
    shape = np.maximum(np.fft.rfftfreq(size), 20 / RATE) ** (-colour / 2)
    noise = np.fft.irfft(np.fft.rfft(random.normal(size=size)) * shape, size)
    said = clip.wave[np.abs(clip.wave) > 0]
    gain = np.sqrt(np.mean(said**2) / np.mean(noise**2) / 10 ** (decibels / 10))
    wave = (clip.wave + gain * noise).astype(np.float32)
    return Clip(wave=wave, text=clip.text, corpus=clip.corpus, speaker=clip.speaker)


def scored(clips: Iterable[Clip], decode: Decode) -> dict[str, Tally]:
    """Return counts by speaker."""
    found: dict[str, Tally] = {}
    for clip in clips:
        said = clip.text.split()
        wrong = [compared(said, answer.split()).errors for answer in decode(clip.wave)]
        one = Tally(
            recordings=1,
            words=len(said),
            wrong=(wrong[0], wrong[1]),
            exact=(int(not wrong[0]), int(not wrong[1])),
        )
        found[clip.speaker] = found.get(clip.speaker, Tally()) + one
    return found


def evaluate(folder: Path, data: Path) -> dict[str, dict[str, Tally]]:
    """Return counts by set and speaker of the dev parts under `data` that are there."""
    decode = Recogniser(folder).both
    results: dict[str, dict[str, Tally]] = {}
    for corpus in CORPORA:
        if not (data / corpus / "dev.jsonl").exists():
            continue
        clips = read_part(data, corpus, "dev")
        results[corpus] = scored(clips, decode)
        if corpus == "digits-fsdd":
            joined = strings(clips)
            results["strings"] = scored(joined, decode)
            for name, colour in (("white", 0), ("pink", 1)):
                for decibels in DECIBELS:
                    changed = (noisy(clip, decibels, colour, seed) for seed, clip in enumerate(joined))
                    results[f"strings, {name} {decibels} dB"] = scored(changed, decode)
    return results


def table(results: dict[str, dict[str, Tally]]) -> str:
    """Lay counts out in lines: set, speaker, recordings, words, and the four rates in per cent."""
    head = f"{'set':22} {'speaker':12} {'clips':>5} {'words':>5}"
    lines = [f"{head} {'WER greedy':>10} {'word list':>9} {'right':>6} {'list':>6}"]
    for name, speakers in results.items():
        every = sum(speakers.values(), Tally())
        rows = [("all", every), *(sorted(speakers.items()) if len(speakers) > 1 else ())]
        for speaker, tally in rows:
            if name.startswith("strings,") and speaker != "all":
                continue
            rates = tally.rates()
            lines.append(
                f"{name:22} {speaker:12} {tally.recordings:5} {tally.words:5} {rates['wer_greedy']:10.1f}"
                f" {rates['wer_words']:9.1f} {rates['right_greedy']:6.1f} {rates['right_words']:6.1f}"
            )
    return "\n".join(lines)


def report(folder: Path, data: Path, *, as_json: bool) -> str:
    """Score a folder and lay the result out, as a table or JSON."""
    results = evaluate(folder, data)
    if not as_json:
        return table(results)
    shares = {
        name: {
            "all": sum(speakers.values(), Tally()).rates(),
            "speakers": {speaker: tally.rates() for speaker, tally in sorted(speakers.items())},
        }
        for name, speakers in results.items()
    }
    return json.dumps({"sets": shares}, indent=2)


def main() -> None:
    """Read the options, score, and print a table or JSON."""
    parser = argparse.ArgumentParser(prog="python -m recipes.speech.evaluate", description=__doc__)
    parser.add_argument("--model", type=Path, default=BUNDLED, help="model folder (default: the bundled one)")
    parser.add_argument("--data", type=Path, default=DATA, help="folder with digits-fsdd/ and the others")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    chosen = parser.parse_args()
    print(report(chosen.model, chosen.data, as_json=chosen.json))


if __name__ == "__main__":
    main()
