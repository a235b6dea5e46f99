"""Greedy search through a transducer: at most one piece a frame, as sherpa-onnx does it by default."""

import math
from dataclasses import replace

from appliance.speech.acoustic.model import TransducerModel
from appliance.speech.audio.wav import Samples
from appliance.speech.decoding.ctc import DOUBT, Decoded, DecodedWord
from appliance.speech.model.vocabulary import Vocabulary


def search(model: TransducerModel, samples: Samples, vocabulary: Vocabulary) -> Decoded:
    """Find the text of some audio, with words and times.

    A decoder row depends on the last few pieces alone, so it is computed once for each such history.
    """
    history = [-1] * (model.history - 1) + [vocabulary.blank]
    path: list[int] = []
    frames: list[int] = []
    sure: list[float] = []
    said = 0.0  # log-probability of what the text says of all frames, blanks included
    rows = {tuple(history): model.predict(history)}
    for number, encoding in enumerate(model.encode(samples)):
        scores = model.join(encoding, rows[tuple(history)])
        best = int(scores.argmax())
        said += float(scores[best])
        if best == vocabulary.blank or best in vocabulary.ignored:
            continue
        path.append(best)
        frames.append(number)
        sure.append(float(scores[best]))
        history = [*history[1:], best]
        if tuple(history) not in rows:
            rows[tuple(history)] = model.predict(history)
    found = _described(path, frames, sure, vocabulary)
    return replace(found, confidence=min(1.0, math.exp(said / (len(path) + DOUBT)))) if found.words else found


def _described(path: list[int], frames: list[int], sure: list[float], vocabulary: Vocabulary) -> Decoded:
    groups: list[list[int]] = []
    for number, token in enumerate(path):
        if not groups or vocabulary.tokens[token].startswith(" "):
            groups.append([])
        groups[-1].append(number)
    words = []
    for group in groups:
        text = vocabulary.text([path[number] for number in group])
        if text:
            confidence = math.exp(sum(sure[number] for number in group) / len(group))
            words.append(
                DecodedWord(
                    text=text,
                    start=frames[group[0]],
                    end=frames[group[-1]] + 1,
                    confidence=min(1.0, confidence),
                )
            )
    if not words:
        return Decoded(text="", words=(), confidence=0.0)
    return Decoded(text=vocabulary.text(path), words=tuple(words), confidence=1.0)
