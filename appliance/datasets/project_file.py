"""The project file as JSON: pydantic models that read and write it.

Source: `concepts/data-formats.md` of the custom NER documentation and `analyzetext-authoring.json`
(2022-05-01, 2023-04-01). Keys are read in any letter case, as clients of the authoring API write them.
"""

import json
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Final, TypeVar

from pydantic import AfterValidator, BaseModel, Field, ValidationError, model_validator

from appliance.datasets.components.component_file import (
    ComponentFields,
    check_settings,
    check_sums,
    threshold_of,
)
from appliance.datasets.components.components import Components
from appliance.datasets.label_errors import DatasetError, LabellingMistakes, Mistake
from appliance.datasets.wire import Name, Wire
from license.encoding.strict import load_json

KIND = "CustomEntityRecognition"
_MAX_SETTINGS_BYTES: Final = 4096
_Model = TypeVar("_Model", bound=BaseModel)


Description = Annotated[str, Field(max_length=4096)]


def _short(settings: dict[str, Any]) -> dict[str, Any]:
    if len(json.dumps(settings)) > _MAX_SETTINGS_BYTES:
        raise ValueError(f"settings take more than {_MAX_SETTINGS_BYTES} bytes")
    return check_settings(settings)


ProjectSettings = Annotated[dict[str, Any], AfterValidator(_short)]


class FileLabel(Wire):
    """One label; offsets are UTF-16 code units from the start of the document."""

    formerly: ClassVar[dict[str, str]] = {"extractorname": "category", "entity": "category"}
    category: Name
    offset: int
    length: int


class FileRegion(Wire):
    """The labelled part of a document."""

    regionOffset: int = 0  # noqa: N815 (names of the wire format)
    regionLength: int = 0  # noqa: N815
    labels: tuple[FileLabel, ...] = ()


class FileDocument(Wire):
    """One document: where its text is, and its labels.

    Until 2022-03-01-preview the regions were called extractors; others have labels without regions.
    """

    formerly: ClassVar[dict[str, str]] = {"extractors": "entities", "culture": "language"}
    location: Annotated[str, Field(max_length=1024)]
    language: Name | None = None
    dataset: Name | None = None
    entities: tuple[FileRegion, ...] = ()
    labels: tuple[FileLabel, ...] = ()

    @property
    def all_labels(self) -> tuple[FileLabel, ...]:
        """Its labels, of all regions."""
        return (*(label for region in self.entities for label in region.labels), *self.labels)


class FileEntity(ComponentFields):
    """A declared category, and what finds it besides what is learnt."""

    formerly: ClassVar[dict[str, str]] = {"name": "category"}
    category: Name = Field(min_length=1)


class FileAssets(Wire):
    """Categories and documents."""

    formerly: ClassVar[dict[str, str]] = {"extractors": "entities"}
    projectKind: str = KIND  # noqa: N815
    entities: tuple[FileEntity, ...] = ()
    documents: tuple[FileDocument, ...] = ()

    @model_validator(mode="after")
    def _check(self) -> "FileAssets":
        check_sums(self.entities)
        return self


class FileMetadata(Wire):
    """What the project is called and made for."""

    formerly: ClassVar[dict[str, str]] = {"name": "projectName"}
    projectKind: Name = KIND  # noqa: N815
    projectName: Name = ""  # noqa: N815
    storageInputContainerName: Name = ""  # noqa: N815
    language: Name | None = None
    description: Description | None = None
    multilingual: bool | None = None
    settings: ProjectSettings | None = None


class ProjectFile(Wire):
    """The whole file."""

    projectFileVersion: str = "2022-05-01"  # noqa: N815
    stringIndexType: str = "Utf16CodeUnit"  # noqa: N815
    metadata: FileMetadata
    assets: FileAssets = FileAssets()

    @property
    def components(self) -> Components:
        """What finds entities besides what is learnt, and the confidence that answers need."""
        apart = bool(self.metadata.multilingual)
        entities = (one.components(one.category, by_language=apart) for one in self.assets.entities)
        return Components(
            entities=tuple(one for one in entities if one.finds),
            threshold=threshold_of(self.metadata.settings),
        )


def parse_project(data: bytes, name: str) -> ProjectFile:
    """Read a project file.

    Args:
        data: Its bytes.
        name: What it is called, for messages.

    Raises:
        DatasetError: It is not JSON, or of another kind.
        LabellingMistakes: Fields are missing or of the wrong type: all of them.
    """
    found = parse_wire(ProjectFile, data, name)
    for kind in (found.metadata.projectKind, found.assets.projectKind):
        if kind.casefold() != KIND.casefold():
            raise DatasetError(
                f"{name} is of kind {kind[:60]!r}, which is not learnt here", hint=f"the kind is {KIND}"
            )
    if found.stringIndexType.casefold() != "utf16codeunit":
        raise DatasetError(
            f"{name} counts offsets in {found.stringIndexType[:60]!r}",
            hint="a project file says Utf16CodeUnit",
        )
    return found


_OWN: Final = "Value error, "
"""What Pydantic puts before a message of our own."""
_NAMES: Final = ("category", "location")


def _place(value: object, steps: Sequence[str | int]) -> str:
    """Return the path of a field, with the category or document of each number in it."""
    words = []
    for step in steps:
        word = str(step)
        try:
            value = value[step]  # type: ignore[index]
        except (LookupError, TypeError):
            value = None
        if isinstance(step, int) and isinstance(value, dict):
            name = next((value[key] for key in _NAMES if isinstance(value.get(key), str)), "")
            word += f" ({name[:60]})" if name else ""
        words.append(word)
    return ".".join(words) or "the file"


def parse_wire(model: type[_Model], data: bytes, name: str) -> _Model:
    """Read JSON into a model.

    Raises:
        DatasetError: It is not JSON.
        LabellingMistakes: Fields are missing or of the wrong type: all of them.
    """
    try:
        value = load_json(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{name} is not JSON: {error}", hint="export the project again") from None
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise LabellingMistakes(
            [
                Mistake(
                    document=name,
                    line=0,
                    reason=f"{_place(value, detail['loc'])}: {detail['msg'].removeprefix(_OWN)}",
                    remedy="correct it in the file"
                    if detail["msg"].startswith(_OWN)
                    else "compare with a file that the service exported",
                )
                for detail in error.errors(include_url=False, include_input=False)
            ]
        ) from None
