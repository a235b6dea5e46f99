"""Components of entities besides the learnt one, as a project declares and a model folder keeps them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

LEARNED, LIST, REGEX = "learned", "list", "regex"
KINDS: Final = (LEARNED, LIST, REGEX)
COMBINE, SEPARATE = "combineComponents", "separateComponents"
_FORMAT: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityComponents:
    """What finds one category, besides what is learnt.

    Attributes:
        category: Its name.
        synonyms: Strings that are always it, of all lists and languages.
        patterns: Regular expressions of RE2 whose matches are it.
        combine: Whether spans of several components that overlap become one; else each is answered.
        required: Components without which a span is not answered.
    """

    category: str
    synonyms: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    combine: bool = True
    required: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Components:
    """Those of all categories that have any, and the confidence that what is learnt must reach."""

    entities: tuple[EntityComponents, ...] = ()
    threshold: float = 0.0

    def __bool__(self) -> bool:
        """Whether they change any answer."""
        return bool(self.entities) or self.threshold > 0

    @property
    def categories(self) -> frozenset[str]:
        """Categories that are found without being learnt."""
        return frozenset(
            one.category
            for one in self.entities
            if (one.synonyms or one.patterns) and LEARNED not in one.required
        )

    def to_object(self) -> dict[str, Any]:
        """Return what `components.json` of a model folder holds."""
        return {
            "format": _FORMAT,
            "confidenceThreshold": self.threshold,
            "entities": [
                {
                    "category": one.category,
                    "compositionSetting": COMBINE if one.combine else SEPARATE,
                    "requiredComponents": sorted(one.required),
                    "synonyms": list(one.synonyms),
                    "expressions": list(one.patterns),
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
        if value.get("format") != _FORMAT:
            raise ValueError("it is of a format that this version does not know")
        threshold = value.get("confidenceThreshold", 0)
        entities = value.get("entities", [])
        if isinstance(threshold, bool) or not isinstance(threshold, int | float) or not 0 <= threshold <= 1:
            raise ValueError("confidenceThreshold must be a number from 0 to 1")
        if not isinstance(entities, list):
            raise ValueError("entities must be a list")
        return cls(entities=tuple(map(_entity, entities)), threshold=float(threshold))


def _entity(value: Any) -> EntityComponents:
    if not isinstance(value, dict) or not isinstance(value.get("category"), str) or not value["category"]:
        raise ValueError("an entity has no category")
    setting = value.get("compositionSetting", COMBINE)
    required = _texts(value, "requiredComponents")
    if setting not in (COMBINE, SEPARATE) or not set(required) <= set(KINDS):
        raise ValueError("an entity has a compositionSetting or requiredComponents that are not known")
    return EntityComponents(
        category=value["category"],
        synonyms=_texts(value, "synonyms"),
        patterns=_texts(value, "expressions"),
        combine=setting == COMBINE,
        required=frozenset(required),
    )


def _texts(value: Mapping[str, Any], key: str) -> tuple[str, ...]:
    found = value.get(key, [])
    if not isinstance(found, list) or not all(isinstance(one, str) and one for one in found):
        raise ValueError(f"{key} of an entity must be a list of texts")
    return tuple(found)


NO_COMPONENTS: Final = Components()
