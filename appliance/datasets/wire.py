"""The base of JSON of other programs: known keys in any letter case, unknown ones ignored."""

from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

Name = Annotated[str, Field(max_length=256)]
"""Names of projects, categories, documents and languages."""


class Wire(BaseModel):
    """Base of what is read: unknown keys are ignored, known ones are taken in any letter case."""

    model_config = ConfigDict(extra="ignore", frozen=True)
    formerly: ClassVar[dict[str, str]] = {}
    """Names that earlier versions of a format had for a field, in small letters."""

    @model_validator(mode="before")
    @classmethod
    def _spell(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        known = {name.casefold(): name for name in cls.model_fields}
        given = {str(key).casefold() for key in value}
        known |= {old: new for old, new in cls.formerly.items() if new.casefold() not in given}
        return {known.get(str(key).casefold(), key): item for key, item in value.items()}
