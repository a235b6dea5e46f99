"""What a caller asks of a recognition: from the query of the connection and the context of the turn.

Both say much the same; where they differ, the context counts. What is unknown or out of range is ignored, as
clients send service properties of their own.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from appliance.speech.adaptation.adaptation import MAX_PHRASE_CHARACTERS, MAX_PHRASES
from appliance.speech.decoding.segment import Preferences
from appliance.speech.display.text import Profanity
from appliance.speech.recognition.stream import Manner

MODES: Final = ("interactive", "conversation", "dictation")
MAX_WEIGHT: Final = 2.0
SINGLE_SECONDS: Final = 15.0
"""Audio of a single recognition that is listened to."""

_CONTEXT_KEY: Final = "speechcontext-"
_DETAILED_TEXTS: Final = 5
_ASSESSMENTS: Final = ("pronunciationAssessment", "contentAssessment")


@dataclass(frozen=True, slots=True, kw_only=True)
class RecognitionOptions:
    """What is asked of one turn.

    Attributes:
        mode: `interactive`, `conversation` or `dictation`.
        language: Locale that is named; empty where none is.
        languages: Candidates of language identification; empty where none is asked for.
        detailed: Whether several texts with their forms and words are wanted.
        profanity: What becomes of swear words.
        initial_silence: Seconds; None for the mode's own.
        end_silence: Seconds; None for the mode's own.
        longest: Seconds; None for the mode's own.
        phrases: Words to prefer.
        phrase_weight: How much, 0…2; 1 is usual.
        unsupported: What is asked for and not to be had, by its name.
    """

    mode: str = "interactive"
    language: str = ""
    languages: tuple[str, ...] = ()
    detailed: bool = False
    profanity: Profanity = Profanity.MASKED
    initial_silence: float | None = None
    end_silence: float | None = None
    longest: float | None = None
    phrases: tuple[str, ...] = field(default=())
    phrase_weight: float = 1.0
    unsupported: str = ""

    @property
    def wanted(self) -> tuple[str, ...]:
        """Locales that may be spoken; empty where the caller names none."""
        return self.languages or ((self.language,) if self.language else ())

    @property
    def preferences(self) -> Preferences:
        """What the search of the text is to prefer."""
        return Preferences(phrases=self.phrases, weight=self.phrase_weight, languages=self.wanted)

    @property
    def single(self) -> bool:
        """Whether the first phrase is the only one."""
        return self.mode == "interactive"

    def manner(self, *, guesses: bool = True) -> Manner:
        """How the engine is to listen."""
        single = self.single
        silence = self.initial_silence
        pause = self.end_silence
        return Manner(
            single=single,
            initial_silence=(5.0 if single else 15.0) if silence is None else silence,
            end_silence=(0.7 if single else 0.6) if pause is None else pause,
            longest=self.longest or 20.0,
            most=SINGLE_SECONDS if single else 0.0,
            guesses=guesses,
            texts=_DETAILED_TEXTS if self.detailed else 1,
        )


def from_query(mode: str, pairs: Sequence[tuple[str, str]]) -> RecognitionOptions:
    """Read the query of a connection or request."""
    query = {name.lower(): value for name, value in pairs}
    options = RecognitionOptions(
        mode=mode,
        language=query.get("language", ""),
        languages=_candidates(query.get("lidenabled", "")),
        detailed=query.get("format", "").lower() == "detailed"
        or query.get("wordleveltimestamps", "").lower() == "true",
        profanity=_profanity(query.get("profanity")) or Profanity.MASKED,
        initial_silence=_seconds(query.get("initialsilencetimeoutms"), 0, 300_000),
        end_silence=_seconds(query.get("endsilencetimeoutms"), 100, 5_000)
        or _seconds(query.get("segmentationsilencetimeoutms"), 100, 5_000),
    )
    context = _dotted(query)
    return with_context(options, context) if context else options


def with_config(options: RecognitionOptions, config: Mapping[str, Any]) -> RecognitionOptions:
    """Read the body of `speech.config`: the mode, where a client connected before it was known."""
    mode = str(config.get("recognition", "")).lower()
    return replace(options, mode=mode) if mode in MODES else options


def with_context(options: RecognitionOptions, context: Mapping[str, Any]) -> RecognitionOptions:
    """Read the body of `speech.context` over what is already known."""
    detection = _table(context, "phraseDetection")
    output = _table(context, "phraseOutput")
    mode = str(detection.get("mode", "")).lower()
    mode = mode if mode in MODES else options.mode
    segmentation = _table(_table(detection, mode.upper()), "segmentation") or _table(
        _table(detection, mode), "segmentation"
    )
    silence = _seconds(detection.get("initialSilenceTimeout"), 0, 300_000)
    pause = _seconds(segmentation.get("segmentationSilenceTimeoutMs"), 100, 5_000)
    if pause is None:
        pause = _seconds(detection.get("trailingSilenceTimeout"), 100, 5_000)
    longest = _seconds(segmentation.get("segmentationForcedTimeoutMs"), 1_000, 70_000)
    language = detection.get("language")
    identification = _table(context, "languageId").get("languages")
    return replace(
        options,
        mode=mode,
        language=language if isinstance(language, str) and language else options.language,
        languages=tuple(map(str, identification)) if isinstance(identification, list) else options.languages,
        detailed=options.detailed
        or str(output.get("format", "")).lower() == "detailed"
        or bool(_table(output, "detailed").get("options")),
        profanity=_profanity(_table(detection, "enrichment").get("profanity")) or options.profanity,
        initial_silence=options.initial_silence if silence is None else silence,
        end_silence=options.end_silence if pause is None else pause,
        longest=options.longest if longest is None else min(longest, 30.0),
        phrases=_phrases(context) or options.phrases,
        phrase_weight=_weight(_table(context, "dgi").get("bias"), options.phrase_weight),
        unsupported=_unsupported(context) or options.unsupported,
    )


def _weight(value: Any, otherwise: float) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= MAX_WEIGHT:
        return float(value)
    return otherwise


def _unsupported(context: Mapping[str, Any]) -> str:
    """What a context asks for that would be missing from the answer."""
    enrichment = _table(_table(context, "phraseDetection"), "enrichment")
    for table, name in ((context, "translation"), *((enrichment, name) for name in _ASSESSMENTS)):
        if table.get(name):
            return name
    return ""


def _candidates(text: str) -> tuple[str, ...]:
    """Candidates as the query has them: a list, or only `true`, when the context names them."""
    names = tuple(filter(None, (name.strip() for name in text.split(","))))
    return () if names in (("true",), ("false",)) else names


def _phrases(context: Mapping[str, Any]) -> tuple[str, ...]:
    phrases: list[str] = []
    groups = _table(context, "dgi").get("Groups")
    for group in groups if isinstance(groups, list) else []:
        items = group.get("Items") if isinstance(group, dict) else None
        for item in items if isinstance(items, list) else []:
            text = item.get("Text") if isinstance(item, dict) else None
            if isinstance(text, str) and text.strip() and len(text) <= MAX_PHRASE_CHARACTERS:
                phrases.append(text)
    return tuple(phrases[:MAX_PHRASES])


def _dotted(query: Mapping[str, str]) -> dict[str, Any]:
    """Fields of the context that were sent as `speechcontext-Path.To.Field=value`."""
    context: dict[str, Any] = {}
    for name, value in query.items():
        if not name.startswith(_CONTEXT_KEY):
            continue
        *path, last = (_known(part) for part in name[len(_CONTEXT_KEY) :].split(".")[:8])
        table = context
        for part in path:
            below = table.setdefault(part, {})
            table = below if isinstance(below, dict) else {}
        try:
            table[last] = json.loads(value)
        except (ValueError, RecursionError):
            table[last] = value
    return context


_FIELDS: Final = {
    name.lower(): name
    for name in ("phraseDetection", "phraseOutput", "initialSilenceTimeout", "trailingSilenceTimeout")
}


def _known(part: str) -> str:
    return _FIELDS.get(part, part)


def _table(value: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    table = value.get(key)
    return table if isinstance(table, dict) else {}


def _profanity(value: Any) -> Profanity | None:
    try:
        return Profanity(str(value).lower())
    except ValueError:
        return None


def _seconds(value: Any, low: int, high: int) -> float | None:
    """Milliseconds of a text or number, within bounds, as seconds; None for anything else."""
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return min(max(number, low), high) / 1000
