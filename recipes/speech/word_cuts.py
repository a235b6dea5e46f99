"""Single words cut out of the training recordings: `python -m recipes.speech.word_cuts`.

A network trained for a while says where each word of a known transcript is. The words, of 60 speakers, are
then joined to new strings of letters, digits and commands, which the recordings of those hold few of.
"""

import argparse
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from appliance.speech.decoding.alignment import align
from recipes.speech.clips import RATE, Clip, Wave, read_training
from recipes.speech.layout import BLANK, FRAME, SPACE
from recipes.speech.model import SpeechModel, load
from recipes.speech.synthetic_voices import kept
from recipes.speech.train import numbers

SURE = -0.7
"""Mean logarithm of the chances of a word's letters under which it is left out."""
EDGE = RATE // 4
"""Samples before the first letter of a recording and after its last that still belong to the word."""
PIECE = RATE // 100


def spans(text: str, log_probs: NDArray[np.float32]) -> list[tuple[int, int, float]]:
    """Return (first frame, frame after the last, mean logarithm of the letters' chances) of each word."""
    path = numbers(text)
    found = align(log_probs, path, BLANK)
    words: list[list[tuple[int, int, float]]] = [[]]
    for label, span in zip(path, found, strict=True):
        if label == SPACE:
            words.append([])
        else:
            words[-1].append(span)
    return [(word[0][0], word[-1][1], float(np.mean([span[2] for span in word]))) for word in words]


def boundary(wave: Wave, start: int, end: int) -> int:
    """Return the middle of the quietest 10 ms between two samples."""
    if end - start < 2 * PIECE:
        return (start + end) // 2
    pieces = wave[start:end]
    pieces = pieces[: len(pieces) // PIECE * PIECE].reshape(-1, PIECE)
    return start + int(np.argmin((pieces**2).mean(axis=1))) * PIECE + PIECE // 2


def cut(clip: Clip, log_probs: NDArray[np.float32]) -> Iterator[Clip]:
    """Cut a recording into its words, from the quietest moment before each to that after it."""
    found = spans(clip.text, log_probs)
    inner = [boundary(clip.wave, before[1] * FRAME, after[0] * FRAME) for before, after in pairwise(found)]
    edges = [max(0, found[0][0] * FRAME - EDGE), *inner, min(len(clip.wave), found[-1][1] * FRAME + EDGE)]
    for word, (_, _, sure), start, end in zip(clip.text.split(), found, edges[:-1], edges[1:], strict=True):
        if sure > SURE and RATE // 10 < end - start < RATE:
            yield Clip(wave=clip.wave[start:end], text=word, corpus="cuts", speaker=clip.speaker)


def every_cut(model: SpeechModel, clips: Sequence[Clip]) -> Iterator[Clip]:
    """Cut recordings of spelled names, numbers and commands."""
    model.eval()
    with torch.no_grad():
        for clip in clips:
            if clip.corpus == "commands-an4":
                wave = torch.from_numpy(np.pad(clip.wave, (0, RATE // 2)))[None]
                yield from cut(clip, torch.log_softmax(model(wave), dim=-1)[0].numpy())


def main() -> None:
    """Read the options and write the words."""
    parser = argparse.ArgumentParser(prog="python -m recipes.speech.word_cuts", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", type=Path, required=True, help="model.pt as training wrote it")
    parser.add_argument("--out", type=Path, required=True, help="file to write, .npz")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    clips, _ = read_training(chosen.data)
    made = kept(chosen.out, every_cut(load(chosen.weights), clips))
    print(f"{len(made)} words of {len({clip.speaker for clip in made})} speakers")


if __name__ == "__main__":
    main()
