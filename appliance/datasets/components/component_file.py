"""Components of entities in a project file, read strictly: what is not served is refused by name.

Source: `TextAnalysisAuthoringExportedCompositeEntity` of 2023-04-15-preview; regex and required components as
the project file of conversational language understanding has them.
"""

from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from appliance.datasets.components.components import (
    COMBINE,
    KINDS,
    LEARNED,
    LIST,
    REGEX,
    SEPARATE,
    Components,
    EntityComponents,
    LanguagePart,
    is_share,
)
from appliance.datasets.components.expressions import check_all, compiled
from appliance.datasets.wire import Name, Wire

MAX_SYNONYMS: Final = 20_000
"""Synonyms of one entity, as in the cloud."""
MAX_ALL_SYNONYMS: Final = 200_000
"""Synonyms of a project."""
MAX_SYNONYM: Final = 200
"""Characters of one."""
MAX_EXPRESSIONS: Final = 20
"""Regular expressions of a project, as in the cloud."""
_PREBUILTS: Final = (
    "prebuilt components are not served here; remove prebuilts, and use a list, an expression or labels"
)


def _synonym(value: str) -> str:
    if not value.strip():
        raise ValueError("a synonym is empty")
    return value


def _expression(value: str) -> str:
    compiled(value)
    return value


def _setting(value: Any) -> Any:
    spelt = {name.casefold(): name for name in (COMBINE, SEPARATE)}
    if not isinstance(value, str) or value.casefold() not in spelt:
        raise ValueError(f"it is {COMBINE} or {SEPARATE}")
    return spelt[value.casefold()]


def _kind(value: Any) -> Any:
    word = value.casefold() if isinstance(value, str) else ""
    if word.startswith("prebuilt"):
        raise ValueError(_PREBUILTS)
    if word not in KINDS:
        raise ValueError(f"a required component is one of {', '.join(KINDS)}")
    return word


def _no_prebuilts(value: Any) -> Any:
    if value:
        raise ValueError(_PREBUILTS)
    return None


class FileSynonyms(Wire):
    """Synonyms of one language."""

    language: Name | None = None
    values: tuple[Annotated[str, Field(max_length=MAX_SYNONYM), AfterValidator(_synonym)], ...] = ()


class FileSublist(Wire):
    """Synonyms of one key; the key itself is not looked for."""

    listKey: Name | None = None  # noqa: N815 (names of the wire format)
    synonyms: tuple[FileSynonyms, ...] = ()


class FileList(Wire):
    """A list component."""

    sublists: tuple[FileSublist, ...] = ()


class FileExpression(Wire):
    """A regular expression."""

    regexKey: Name | None = None  # noqa: N815
    language: Name | None = None
    regexPattern: Annotated[str, AfterValidator(_expression)]  # noqa: N815


class FileRegex(Wire):
    """A regex component."""

    expressions: tuple[FileExpression, ...] = Field(default=(), max_length=MAX_EXPRESSIONS)


class ComponentFields(Wire):
    """What a declared category may have besides its name."""

    compositionSetting: Annotated[str, BeforeValidator(_setting)] | None = None  # noqa: N815
    list: FileList | None = None
    regex: FileRegex | None = None
    requiredComponents: tuple[Annotated[str, BeforeValidator(_kind)], ...] | None = None  # noqa: N815
    prebuilts: Annotated[None, BeforeValidator(_no_prebuilts)] = None

    @property
    def synonyms(self) -> tuple[str, ...]:
        """All of its synonyms, each once."""
        lists = self.list.sublists if self.list else ()
        return tuple(
            dict.fromkeys(value for one in lists for words in one.synonyms for value in words.values)
        )

    @property
    def patterns(self) -> tuple[str, ...]:
        """All of its expressions, each once."""
        expressions = self.regex.expressions if self.regex else ()
        return tuple(dict.fromkeys(one.regexPattern for one in expressions))

    @property
    def _tags(self) -> tuple[str, ...]:
        """Languages that its synonyms and expressions name, sorted."""
        lists = self.list.sublists if self.list else ()
        expressions = self.regex.expressions if self.regex else ()
        named = {words.language for one in lists for words in one.synonyms}
        named |= {one.language for one in expressions}
        return tuple(sorted({tag.casefold() for tag in named if tag}))

    def _synonyms(self, tag: str) -> tuple[str, ...]:
        lists = self.list.sublists if self.list else ()
        found = (words for one in lists for words in one.synonyms)
        own = (words for words in found if (words.language or "").casefold() == tag)
        return tuple(dict.fromkeys(value for words in own for value in words.values))

    def _patterns(self, tag: str) -> tuple[str, ...]:
        expressions = self.regex.expressions if self.regex else ()
        own = (one for one in expressions if (one.language or "").casefold() == tag)
        return tuple(dict.fromkeys(one.regexPattern for one in own))

    @model_validator(mode="after")
    def _check(self) -> "ComponentFields":
        if len(self.synonyms) > MAX_SYNONYMS:
            raise ValueError(f"it has more than {MAX_SYNONYMS} synonyms")
        present = {LIST: self.synonyms, REGEX: self.patterns, LEARNED: True}
        for kind in self.requiredComponents or ():
            if not present[kind]:
                raise ValueError(f"it requires its {kind} component and has none")
        return self

    def components(self, category: str, *, by_language: bool) -> EntityComponents:
        """Return its components.

        Args:
            category: Its name.
            by_language: Whether what is of a language is for texts in that language alone.
        """
        tags = self._tags if by_language else ()
        return EntityComponents(
            category=category,
            synonyms=self._synonyms("") if by_language else self.synonyms,
            patterns=self._patterns("") if by_language else self.patterns,
            by_language=tuple(
                LanguagePart(language=tag, synonyms=self._synonyms(tag), patterns=self._patterns(tag))
                for tag in tags
            ),
            combine=self.compositionSetting != SEPARATE,
            required=frozenset(self.requiredComponents or ()),
        )


def check_sums(entities: tuple[ComponentFields, ...]) -> None:
    """Refuse a project with too many components.

    Raises:
        ValueError: There are too many.
    """
    if sum(len(one.synonyms) for one in entities) > MAX_ALL_SYNONYMS:
        raise ValueError(f"the project has more than {MAX_ALL_SYNONYMS} synonyms")
    if sum(len(one.patterns) for one in entities) > MAX_EXPRESSIONS:
        raise ValueError(f"the project has more than {MAX_EXPRESSIONS} regular expressions")
    check_all(pattern for one in entities for pattern in one.patterns)


def threshold_of(settings: dict[str, Any] | None) -> float:
    """Return the confidence threshold of a project's settings, 0 where they name none.

    Raises:
        ValueError: It is no number from 0 to 1.
    """
    found = next(
        (value for key, value in (settings or {}).items() if key.casefold() == "confidencethreshold"), None
    )
    if found is None:
        return 0.0
    if not is_share(found):
        raise ValueError("confidenceThreshold is a number from 0 to 1")
    return float(found)


def check_settings(settings: dict[str, Any]) -> dict[str, Any]:
    """Return settings whose threshold can be used and that ask for nothing which is not served.

    Raises:
        ValueError: They do.
    """
    threshold_of(settings)
    if any(key.casefold() == "rungptpredictions" and value for key, value in settings.items()):
        raise ValueError("runGptPredictions is not served here; remove it")
    return settings


__all__ = ["ComponentFields", "Components", "check_settings", "check_sums", "threshold_of"]
