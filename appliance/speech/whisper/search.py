"""Which tokens a Whisper decoder writes: the best one at each step, with guards against its known failures.

Thresholds as in openai/whisper `transcribe.py`: a text that compresses by more than 2.4 repeats itself, and
is decoded again with some chance.
"""

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from appliance.speech.whisper.fused_search import fused_text
from appliance.speech.whisper.network import DecoderState, Encoding, WhisperNetwork
from appliance.speech.whisper.tokens import WhisperTokens
from appliance.speech.whisper.word_fusion import Place, WordFusion

REPEATED: Final = 2.4
"""A text that deflates to less than one part in this of its bytes repeats itself."""

_TEMPERATURES: Final = (0.0, 0.4, 0.8)
_LEAST_TOKENS: Final = 12
_TOKENS_A_SECOND: Final = 8
_POSITIONS_A_SECOND: Final = 50
_NEVER: Final = np.float32(-np.inf)


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """A text the decoder wrote.

    Attributes:
        tokens: Its tokens, without prompt and end.
        logs: Natural logarithm of the probability of each, and of the end.
        attention: [tokens + 1, heads, positions]: where the decoder looked for each token and for the end;
        None where
            the graph does not tell.
        no_speech: Probability that nothing was said.
        repeats: Whether it repeats itself, or had no end.
    """

    tokens: tuple[int, ...]
    logs: tuple[float, ...]
    attention: NDArray[np.float32] | None = field(default=None, repr=False)
    no_speech: float = 0.0
    repeats: bool = False

    @property
    def mean_log(self) -> float:
        """Mean logarithm of a token's probability."""
        return sum(self.logs) / len(self.logs) if self.logs else 0.0


class Search:
    """Writes texts with one model.

    Args:
        network: The model.
        tokens: Its tokens.
        fusion: What the words of a domain add; None without adaptation.
    """

    def __init__(
        self, network: WhisperNetwork, tokens: WhisperTokens, *, fusion: WordFusion | None = None
    ) -> None:
        self._network = network
        self._fusion = fusion
        self._tokens = tokens
        config = network.config
        self._mask = np.zeros(config.vocabulary, np.float32)
        self._mask[[token for token in config.suppressed if token != config.end]] = _NEVER
        self._first_mask = self._mask.copy()
        self._first_mask[list(config.not_first)] = _NEVER

    def language(self, encoding: Encoding, candidates: Sequence[str]) -> tuple[str, float]:
        """The likeliest of some languages, and how likely it is among all that the model knows."""
        config = self._network.config
        state = self._network.begin(encoding)
        logits = self._network.step(state, [config.start]).logits[-1]
        codes = list(config.languages)
        values = logits[[config.languages[code] for code in codes]]
        shares = np.exp(values - values.max())
        shares /= shares.sum()
        found = max(candidates, key=lambda code: shares[codes.index(code)])
        return found, float(shares[codes.index(found)])

    def no_speech(self, encoding: Encoding) -> float:
        """Probability that nothing is said, 0 where the model does not tell."""
        config = self._network.config
        step = self._network.step(self._network.begin(encoding), [config.start])
        return _probability(step.logits[-1], config.no_speech)

    def transcript(
        self,
        encoding: Encoding,
        prompt: Sequence[int],
        *,
        draft: Sequence[int] = (),
    ) -> Transcript:
        """The text of a phrase; where it repeats itself, the best of a few tries.

        Args:
            encoding: The phrase.
            prompt: What the text begins with, as `WhisperTokens.begin` gives it.
            draft: A likely text, such as that of the same phrase before it went on: what of it the decoder
                would write anyway costs one step.
        """
        tries: list[Transcript] = []
        for temperature in _TEMPERATURES:
            if self._fusion is not None and not tries and not draft:
                found = self._fused(encoding, prompt, self._fusion)
            else:
                writer = _Writer(self, encoding, temperature)
                found = writer.write(prompt, draft if not tries else ())
            tries.append(replace(found, repeats=found.repeats or _repeats(self._tokens.text(found.tokens))))
            if not tries[-1].repeats:
                break
        return min(tries, key=lambda tried: (tried.repeats, -tried.mean_log))

    def _fused(self, encoding: Encoding, prompt: Sequence[int], fusion: WordFusion) -> Transcript:
        text, ended, begun = fused_text(
            self._network,
            encoding,
            prompt,
            fusion,
            masks=(self._first_mask, self._mask),
            limit=self.limit(encoding, len(prompt)),
        )
        config = self._network.config
        return Transcript(
            tokens=text.tokens,
            logs=text.logs,
            attention=np.stack(text.looked) if text.looked else None,
            no_speech=_probability(begun.logits[list(prompt).index(config.start)], config.no_speech),
            repeats=not ended,
        )

    def limit(self, encoding: Encoding, prompt: int) -> int:
        """Tokens after which a text has no end: speech is never that fast."""
        seconds = encoding.positions / _POSITIONS_A_SECOND
        return min(
            _LEAST_TOKENS + int(_TOKENS_A_SECOND * seconds), self._network.config.positions - prompt - 1
        )

    def others(
        self,
        encoding: Encoding,
        prompt: Sequence[int],
        best: Transcript,
        count: int,
    ) -> list[Transcript]:
        """Up to `count` other texts: each parts from the best one where that was unsure, and goes on."""
        found: dict[tuple[int, ...], Transcript] = {}
        for at in np.argsort(best.logs)[: 2 * count]:
            if best.logs[at] > _SURE:
                break
            writer = _Writer(self, encoding, 0.0)
            other = writer.write(prompt, best.tokens[:at], instead=best)
            rival = other.logs[at] - best.logs[at] if len(other.logs) > at else _RIVAL
            if rival >= _RIVAL and not other.repeats and other.tokens != best.tokens:
                found.setdefault(other.tokens, other)
            if len(found) >= count:
                break
        return sorted(found.values(), key=lambda other: sum(other.logs), reverse=True)


_SURE: Final = -0.02  # a token this likely has no rival
_RIVAL: Final = math.log(1 / 8)
"""What a rival is at least as likely as, beside the best token: below it are words that do not exist."""


class _Writer:
    """One text under way."""

    def __init__(self, search: Search, encoding: Encoding, temperature: float) -> None:
        self._search, self._network = search, search._network
        self._encoding = encoding
        self._temperature = temperature
        self._random = np.random.default_rng(0)  # the same audio has the same text
        self._tokens: list[int] = []
        self._logs: list[float] = []
        self._looked: list[NDArray[np.float32]] = []
        self._place = Place()

    def write(
        self, prompt: Sequence[int], draft: Sequence[int] = (), *, instead: Transcript | None = None
    ) -> Transcript:
        """Write a text, starting from a draft.

        Args:
            prompt: What it begins with.
            draft: What may follow.
            instead: A text from which this one is to part where the draft ends.
        """
        config = self._network.config
        state = self._network.begin(self._encoding)
        attend = bool(config.alignment_heads)
        step = self._network.step(state, [*prompt, *draft], attend=attend)
        no_speech = _probability(step.logits[prompt.index(config.start)], config.no_speech)
        ended = False
        for known, token in enumerate((*draft, None)):
            place = len(prompt) - 1 + known
            forced = token if instead is not None else None
            banned = (*instead.tokens, config.end)[known] if instead is not None and token is None else None
            chosen = self._choose(step.logits[place], forced=forced, banned=banned)
            if step.attention is not None:
                self._looked.append(step.attention[place])
            if chosen == config.end:
                ended = True
                break
            self._tokens.append(chosen)
            if chosen != token:
                seen = len(prompt) + known
                state = state if known == len(draft) else state.cut(seen)
                ended = self._go_on(state, self._search.limit(self._encoding, len(prompt)), attend=attend)
                break
        return Transcript(
            tokens=tuple(self._tokens),
            logs=tuple(self._logs),
            attention=np.stack(self._looked) if self._looked else None,
            no_speech=no_speech,
            repeats=not ended,
        )

    def _go_on(self, state: DecoderState, limit: int, *, attend: bool) -> bool:
        """Write token by token; return whether the text had an end."""
        while len(self._tokens) < limit:
            step = self._network.step(state, self._tokens[-1:], attend=attend)
            chosen = self._choose(step.logits[-1])
            if step.attention is not None:
                self._looked.append(step.attention[-1])
            if chosen == self._network.config.end:
                return True
            self._tokens.append(chosen)
        return False

    def _choose(
        self, logits: NDArray[np.float32], *, forced: int | None = None, banned: int | None = None
    ) -> int:
        search = self._search
        values = logits + (search._first_mask if not self._tokens else search._mask)
        if search._fusion is not None:
            values = search._fusion.weighed(values, self._place)
        total = _log_sum(values)
        if forced is not None:
            token = forced
        else:
            weighed = values
            if banned is not None:
                weighed = weighed.copy()
                weighed[banned] = _NEVER
            if self._temperature:
                noise = self._random.gumbel(size=len(weighed)).astype(np.float32)
                weighed = weighed / np.float32(self._temperature) + noise
            token = int(weighed.argmax())
        if search._fusion is not None and token != search._network.config.end:
            self._place = search._fusion.after(self._place, token)
        self._logs.append(float(values[token]) - total)
        return token


def _log_sum(values: NDArray[np.float32]) -> float:
    top = float(values.max())
    return top + float(np.log(np.exp(values - np.float32(top)).sum()))


def _probability(logits: NDArray[np.float32], token: int | None) -> float:
    return 0.0 if token is None else float(np.exp(float(logits[token]) - _log_sum(logits)))


def _repeats(text: str) -> bool:
    data = text.encode()
    return len(data) > 0 and len(data) / len(zlib.compress(data)) > REPEATED
