"""What a model speaks: one locale, or many languages that it tells apart."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from appliance.speech.model.kind import language_code, same_language

_SHOWN: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """What a model speaks.

    Attributes:
        locale: The locale where nothing tells another.
        languages: Codes of the languages that it tells apart; empty where it knows that of `locale` alone.
    """

    locale: str
    languages: tuple[str, ...] = ()

    def includes(self, locale: str) -> bool:
        """Whether the model knows the language of a locale."""
        return (
            language_code(locale) in self.languages if self.languages else same_language(locale, self.locale)
        )

    def locale_of(self, language: str, wanted: Sequence[str] = ()) -> str:
        """The locale of a text: as a caller spelled it who named its language; else as the model does.

        Args:
            language: Code of the language the text is in; empty where the model does not tell.
            wanted: Locales that the caller named.
        """
        if not language:
            return self.locale
        spelled = (name for name in (*wanted, self.locale) if language_code(name) == language)
        return next(spelled, language)

    def __str__(self) -> str:
        if not self.languages:
            return self.locale
        return f"{len(self.languages)} languages ({', '.join(self.languages[:_SHOWN])}, …)"
