"""The best text of a phrase by a model and the words of a domain together: a few texts are followed at once.

One text alone would be bound to a beginning that only later words show to be wrong. Texts far behind the best
are given up, so that most steps follow one or two.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from appliance.speech.whisper.network import DecoderState, Encoding, Step, WhisperNetwork
from appliance.speech.whisper.word_fusion import Place, WordFusion

TEXTS: Final = 2
"""Texts that are followed at once."""
BEHIND: Final = 3.0
"""A text this much (natural logarithm) behind the best is given up."""

Values = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Fused:
    """A text under way or at its end.

    Attributes:
        tokens: Its tokens, without prompt and end.
        logs: Natural logarithm of the probability of each, and of the end: by the model alone or with what
            words earn, whichever is more, since words of no domain are no less sure than without one.
        looked: Where the decoder looked for each; empty where the graph does not tell.
        score: What texts are ranked by.
        place: Where it is, for the words.
    """

    tokens: tuple[int, ...] = ()
    logs: tuple[float, ...] = ()
    looked: tuple[Values, ...] = ()
    score: float = 0.0
    place: Place = field(default_factory=Place)


@dataclass(slots=True)
class _Live:
    """A text under way, the decoder behind it, and what that says to the last token."""

    text: Fused
    state: DecoderState
    logits: Values
    attention: Values | None


def fused_text(
    network: WhisperNetwork,
    encoding: Encoding,
    prompt: Sequence[int],
    fusion: WordFusion,
    *,
    masks: tuple[Values, Values],
    limit: int,
) -> tuple[Fused, bool, Step]:
    """Search the text of a phrase.

    Args:
        network: The model.
        encoding: The phrase.
        prompt: What its text begins with.
        fusion: The words of the domain.
        masks: What is never chosen, at the first token and behind it.
        limit: Tokens after which a text has no end.

    Returns:
        The best text, whether it has an end, and what the decoder said to the prompt.
    """
    end, attend = network.config.end, bool(network.config.alignment_heads)
    state = network.begin(encoding)
    begun = network.step(state, prompt, attend=attend)
    live = [_live(Fused(), state, begun)]
    ended: list[Fused] = []
    for length in range(limit + 1):
        longer: list[tuple[Fused, _Live, int]] = []
        for one in live:
            longer += [(text, one, token) for text, token in _longer(one, fusion, masks[length > 0], end)]
        longer.sort(key=lambda found: found[0].score, reverse=True)
        least = max([longer[0][0].score, *(text.score for text in ended)]) - BEHIND
        kept = [found for found in longer[:TEXTS] if found[0].score > least]
        ended += [text for text, _, token in kept if token == end]
        going = [found for found in kept if found[2] != end]
        best = max((text.score for text in ended), default=-np.inf)
        if length == limit or not going or (ended and going[0][0].score < best):
            break
        live = [_stepped(network, text, one, token, attend=attend) for text, one, token in going]
    if not ended:
        return live[0].text, False, begun
    return max(ended, key=lambda text: text.score), True, begun


def _live(text: Fused, state: DecoderState, step: Step) -> _Live:
    return _Live(text, state, step.logits[-1], None if step.attention is None else step.attention[-1])


def _longer(one: _Live, fusion: WordFusion, mask: Values, end: int) -> list[tuple[Fused, int]]:
    """A text and one token more, for the best few tokens."""
    values = one.logits + mask
    likely, weighed = fusion.candidates(values, one.text.place)
    top = float(values.max())
    shares = np.exp(values - np.float32(top))
    mass = float(shares.sum())
    plain = top + math.log(mass)
    with_words = mass - float(shares[likely].sum()) + float(np.exp(weighed - top).sum())
    total = top + math.log(max(with_words, 1e-30))
    best = np.argsort(-weighed)[:TEXTS]
    text = one.text
    return [
        (
            Fused(
                text.tokens if token == end else (*text.tokens, token),
                (*text.logs, max(float(weighed[at]) - total, float(values[token]) - plain)),
                text.looked if one.attention is None else (*text.looked, one.attention),
                text.score + float(weighed[at]) - plain,
                text.place if token == end else fusion.after(text.place, token),
            ),
            token,
        )
        for at, token in ((at, int(likely[at])) for at in map(int, best))
    ]


def _stepped(network: WhisperNetwork, text: Fused, one: _Live, token: int, *, attend: bool) -> _Live:
    state = DecoderState(one.state.encoding, one.state.cross, one.state.past, one.state.length)
    return _live(text, state, network.step(state, [token], attend=attend))
