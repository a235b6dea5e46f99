"""Phrases to texts with a Whisper model: language, text, words with their times, and confidence."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from appliance.speech.adaptation.adaptation import Adaptation
from appliance.speech.adaptation.continuations import Continuations
from appliance.speech.audio.wav import Samples
from appliance.speech.decoding.segment import Heard, HeardWord, Preferences
from appliance.speech.decoding.word_times import FRAME_SECONDS, levels, trim_to_sound
from appliance.speech.model.folder import SpeechFolder
from appliance.speech.model.kind import language_code
from appliance.speech.model.whisper_config import WhisperConfig
from appliance.speech.whisper.displayed_forms import with_displayed_forms
from appliance.speech.whisper.features import RATE, SILENCE_SECONDS
from appliance.speech.whisper.network import Encoding, WhisperNetwork, load_network
from appliance.speech.whisper.search import Search, Transcript
from appliance.speech.whisper.token_times import followed, token_starts, word_frames
from appliance.speech.whisper.tokens import WhisperTokens, Word, lexical
from appliance.speech.whisper.word_fusion import WordFusion

_POSITION: Final = 320  # samples of one position of the encoder
_ENGLISH: Final = "en"
_MORE_TOKENS: Final = 2
_NOTHING: Final = Adaptation()


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A phrase that is encoded, what its text begins with, and its first sample that was encoded."""

    encoding: Encoding
    prompt: tuple[int, ...]
    language: str
    likely: float
    first: int


class WhisperRecognizer:
    """Recognises phrases with one model; several threads may use it at once.

    Args:
        network: The model.
        tokens: Its tokens.
        language: Code of the language where nobody names one.
        adaptation: What text taught it.
    """

    def __init__(
        self,
        network: WhisperNetwork,
        tokens: WhisperTokens,
        *,
        language: str,
        adaptation: Adaptation = _NOTHING,
    ) -> None:
        self._network, self._tokens, self._language = network, tokens, language
        self._pronunciations = adaptation.pronunciations
        written = self._pronunciations.displayed.values() if self._pronunciations is not None else ()
        self._phrases = (*adaptation.phrases, *written)
        fusion = None
        if adaptation.domain is not None:
            words = Continuations(adaptation.domain)
            fusion = WordFusion(words, tokens, end=network.config.end, weight=adaptation.weight)
        self._search = Search(network, tokens, fusion=fusion)

    @property
    def config(self) -> WhisperConfig:
        """What the folder says."""
        return self._network.config

    def prepare(self, samples: Samples, preferences: Preferences) -> Prepared:
        """Encode a phrase and find its language.

        Digital silence around it is taken off: the model hears the same silence around each phrase.
        """
        sound = np.flatnonzero(samples)
        first, end = (int(sound[0]), int(sound[-1]) + 1) if len(sound) else (0, len(samples))
        encoding = self._network.encode(samples[first:end])
        language, likely = self._spoken(encoding, preferences.languages)
        asked = preferences.phrases if preferences.weight else ()
        prompt = self._tokens.begin(language, (*asked, *self._phrases))
        return Prepared(
            encoding=encoding, prompt=tuple(prompt), language=language, likely=likely, first=first
        )

    def _spoken(self, encoding: Encoding, candidates: Sequence[str]) -> tuple[str, float]:
        """The language of a phrase, among those that a caller named, and how likely it is."""
        known = self.config.languages
        if not known:
            return _ENGLISH, 1.0
        codes = [code for code in map(language_code, candidates) if code in known]
        if not codes and self._language:
            codes = [self._language]
        return (codes[0], 1.0) if len(codes) == 1 else self._search.language(encoding, codes or tuple(known))

    def no_speech(self, prepared: Prepared) -> float:
        """Probability that nothing is said in a phrase, 0 where the model does not tell."""
        return self._search.no_speech(prepared.encoding)

    def write(self, prepared: Prepared, draft: Sequence[int] = ()) -> Transcript:
        """The best text of a phrase."""
        return self._search.transcript(prepared.encoding, prepared.prompt, draft=draft)

    def words(self, tokens: Sequence[int], language: str) -> list[Word]:
        """The words of some tokens."""
        return self._tokens.words(tokens, language)

    def recognize(
        self,
        samples: Samples,
        preferences: Preferences,
        count: int = 1,
        prepared: Prepared | None = None,
    ) -> list[Heard]:
        """Up to `count` texts of a phrase, best first; at least one, which may be empty.

        Args:
            samples: The phrase.
            preferences: What the caller prefers.
            count: Texts.
            prepared: The same phrase, if `prepare` has been called with it already.
        """
        if not len(samples):
            return [Heard(text="", words=(), confidence=0.0)]
        if prepared is None:
            prepared = self.prepare(samples, preferences)
        best = self.write(prepared)
        found = [best]
        if count > 1 and best.tokens:
            found += self._search.others(prepared.encoding, prepared.prompt, best, count - 1)
        heard = [self._heard(transcript, prepared, samples) for transcript in found]
        different: dict[str, Heard] = {}
        for text in heard:
            different.setdefault(text.text, text)
        return list(different.values())

    def _heard(self, transcript: Transcript, prepared: Prepared, samples: Samples) -> Heard:
        words = self._tokens.words(transcript.tokens, prepared.language)
        if not words:
            return Heard(text="", words=(), confidence=0.0)
        heard = [
            HeardWord(
                text=lexical(word.written),
                start=start,
                end=end,
                confidence=math.exp(_mean(transcript.logs[word.first : word.end])),
                written=word.written,
            )
            for word, (start, end) in zip(
                words, self._times(transcript, words, prepared.first, len(samples)), strict=True
            )
        ]
        if self._pronunciations is not None:
            heard = with_displayed_forms(heard, self._pronunciations)
        frame = int(FRAME_SECONDS * RATE)
        return Heard(
            text="".join(_spaced(word) for word in heard).strip(),
            words=trim_to_sound(heard, levels(samples, frame), frame=frame),
            confidence=confidence(transcript),
            score=sum(transcript.logs),
            language=prepared.language,
            language_probability=prepared.likely,
        )

    def _times(
        self, transcript: Transcript, words: Sequence[Word], first: int, length: int
    ) -> list[tuple[int, int]]:
        """First sample of each word and the sample after its last."""
        before = int(SILENCE_SECONDS * RATE) - first
        if transcript.attention is None:
            share = length / max(1, len(transcript.tokens))  # no better than even
            return [(int(word.first * share), int(word.end * share)) for word in words]
        frames = word_frames(words, token_starts(transcript.attention))
        return [
            tuple(int(np.clip(at * _POSITION - before, 0, length)) for at in span)  # type: ignore[misc]
            for span in frames
        ]


def load_recognizer(folder: SpeechFolder) -> WhisperRecognizer:
    """Load a Whisper folder.

    Raises:
        ModelError: A graph is refused, or its files do not fit together.
    """
    network = load_network(folder)
    language = language_code(folder.language)
    tokens = WhisperTokens(network.config)
    adaptation = folder.adaptation or _NOTHING
    return WhisperRecognizer(network, tokens, language=language, adaptation=adaptation)


def confidence(transcript: Transcript) -> float:
    """How likely the text is what was said, 0…1.

    A logistic curve over the tokens' probabilities, that of no speech, and how well the decoder followed the
    sound where the graph tells. Two tokens more than there are keep one doubtful token from condemning a
    short text. Fitted on recordings of the train parts of AN4, the orders and the digits, played forwards and
    backwards, and on noise; 0.6 is where 94 of 100 recordings of AN4 and the orders that are played
    backwards lie below.
    """
    if transcript.repeats:
        return 0.0
    mean = sum(transcript.logs) / (len(transcript.logs) + _MORE_TOKENS)
    if transcript.attention is None:
        score = 4.96 + 6.88 * mean - 7.57 * transcript.no_speech
    else:
        score = 2.3 + 7.67 * mean - 6.79 * transcript.no_speech + 7.09 * followed(transcript.attention)
    return 1 / (1 + math.exp(-score))


def _spaced(word: HeardWord) -> str:
    return f" {word.text}" if word.written.startswith(" ") else word.text


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
