"""Components of entities besides the learnt one, as a project declares and a model folder keeps them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

LEARNED, LIST, REGEX = "learned", "list", "regex"
KINDS: Final = (LEARNED, LIST, REGEX)
COMBINE, SEPARATE = "combineComponents", "separateComponents"
_FORMAT: Final = 2
_FORMATS: Final = (1, 2)
"""The first has neither languages nor thresholds of categories."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityComponents:
    """What finds one category, besides what is learnt.

    Attributes:
        category: Its name.
        synonyms: Strings that are always it, whatever the language of the text.
        patterns: Regular expressions of RE2 whose matches are it, in any language.
        by_language: Those of one language each.
        combine: Whether spans of several components that overlap become one; else each is answered.
        required: Components without which a span is not answered.
    """

    category: str
    synonyms: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    by_language: tuple["LanguagePart", ...] = ()
    combine: bool = True
    required: frozenset[str] = frozenset()

    @property
    def parts(self) -> tuple["LanguagePart", ...]:
        """What is looked for, by language; the language of what is for any is the empty string."""
        every = LanguagePart(language="", synonyms=self.synonyms, patterns=self.patterns)
        return (every, *self.by_language)

    @property
    def finds(self) -> bool:
        """Whether it has a list or an expression."""
        return any(part.synonyms or part.patterns for part in self.parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class LanguagePart:
    """What is looked for in texts of one language.

    Attributes:
        language: BCP 47 tag.
        synonyms: As of `EntityComponents`.
        patterns: Likewise.
    """

    language: str
    synonyms: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Components:
    """Those of all categories that have any, and the confidence that what is learnt must reach.

    Attributes:
        entities: Categories with a list or an expression.
        threshold: The confidence that what the network finds must reach, 0…1.
        thresholds: The same for single categories, sorted by category.
    """

    entities: tuple[EntityComponents, ...] = ()
    threshold: float = 0.0
    thresholds: tuple[tuple[str, float], ...] = ()

    def __bool__(self) -> bool:
        """Whether they change any answer."""
        return bool(self.entities) or self.threshold > 0 or bool(self.thresholds)

    def threshold_of(self, category: str) -> float:
        """The confidence that a category must reach."""
        for name, threshold in self.thresholds:
            if name == category:
                return threshold
        return self.threshold

    @property
    def patterns(self) -> tuple[str, ...]:
        """All expressions."""
        return tuple(pattern for one in self.entities for part in one.parts for pattern in part.patterns)

    @property
    def categories(self) -> frozenset[str]:
        """Categories that are found without being learnt."""
        return frozenset(one.category for one in self.entities if one.finds and LEARNED not in one.required)

    def to_object(self) -> dict[str, Any]:
        """Return what `components.json` of a model folder holds."""
        return {
            "format": _FORMAT,
            "confidenceThreshold": self.threshold,
            "confidenceThresholds": dict(self.thresholds),
            "entities": [
                {
                    "category": one.category,
                    "compositionSetting": COMBINE if one.combine else SEPARATE,
                    "requiredComponents": sorted(one.required),
                    **_part_object(one),
                    "languages": {part.language: _part_object(part) for part in one.by_language},
                }
                for one in self.entities
            ],
        }

    @classmethod
    def from_object(cls, value: Mapping[str, Any]) -> "Components":
        """Read `components.json`.

        Raises:
            ValueError: It is of another format, or says something else than `to_object`.
        """
        if value.get("format") not in _FORMATS:
            raise ValueError("it is of a format that this version does not know")
        threshold = value.get("confidenceThreshold", 0)
        entities = value.get("entities", [])
        own = value.get("confidenceThresholds", {})
        if not isinstance(own, dict) or not all(map(is_share, (threshold, *own.values()))):
            raise ValueError("confidenceThreshold and confidenceThresholds must be numbers from 0 to 1")
        if not isinstance(entities, list):
            raise ValueError("entities must be a list")
        return cls(
            entities=tuple(map(_entity, entities)),
            threshold=float(threshold),
            thresholds=tuple(sorted((str(name), float(share)) for name, share in own.items())),
        )


def is_share(value: object) -> bool:
    """Whether a value is a number from 0 to 1."""
    return not isinstance(value, bool) and isinstance(value, int | float) and 0 <= value <= 1


def _part_object(part: EntityComponents | LanguagePart) -> dict[str, list[str]]:
    return {"synonyms": list(part.synonyms), "expressions": list(part.patterns)}


def _entity(value: Any) -> EntityComponents:
    if not isinstance(value, dict) or not isinstance(value.get("category"), str) or not value["category"]:
        raise ValueError("an entity has no category")
    setting = value.get("compositionSetting", COMBINE)
    required = _texts(value, "requiredComponents")
    if setting not in (COMBINE, SEPARATE) or not set(required) <= set(KINDS):
        raise ValueError("an entity has a compositionSetting or requiredComponents that are not known")
    languages = value.get("languages", {})
    if not isinstance(languages, dict) or not all(isinstance(part, dict) for part in languages.values()):
        raise ValueError("languages of an entity must be a table of synonyms and expressions")
    return EntityComponents(
        category=value["category"],
        synonyms=_texts(value, "synonyms"),
        patterns=_texts(value, "expressions"),
        by_language=tuple(
            LanguagePart(
                language=tag, synonyms=_texts(part, "synonyms"), patterns=_texts(part, "expressions")
            )
            for tag, part in languages.items()
        ),
        combine=setting == COMBINE,
        required=frozenset(required),
    )


def _texts(value: Mapping[str, Any], key: str) -> tuple[str, ...]:
    found = value.get(key, [])
    if not isinstance(found, list) or not all(isinstance(one, str) and one for one in found):
        raise ValueError(f"{key} of an entity must be a list of texts")
    return tuple(found)


NO_COMPONENTS: Final = Components()
