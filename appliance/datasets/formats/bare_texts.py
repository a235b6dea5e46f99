"""What one file holds of texts without labels: itself, or JSON values with a `text` each."""

from collections.abc import Iterator, Sequence

from appliance.datasets.document import LabelledDocument
from appliance.datasets.formats.format import SourceFile
from appliance.datasets.label_errors import DatasetError


def texts_of(source: SourceFile) -> Iterator[LabelledDocument]:
    """Yield the texts of a file, told by content; what labels they have is not read.

    Raises:
        DatasetError: It is no text, or JSON of another kind.
    """
    records = source.records
    values = [record.value for record in records.found] if records and not records.damaged else []
    if values and all(isinstance(value, dict) and isinstance(value.get("text"), str) for value in values):
        for number, value in enumerate(values, 1):
            yield LabelledDocument(name=f"{source.name}:{number}", text=value["text"], labels=())
    elif _is_other_json(values, source.text):
        raise DatasetError(
            f"{source.name} is JSON, and not every value of it has a `text`: it would be read, and counted,"
            " as one long text",
            hint='write {"text": "…"} a line, or a file for each text',
        )
    else:
        yield LabelledDocument(name=source.name, text=source.text, labels=())


def _is_other_json(values: Sequence[object], text: str) -> bool:
    """Whether a file is an array or lines of JSON objects, such as a label file; one object may be a text."""
    several = len(values) > 1 or text.lstrip().startswith("[")
    return several and bool(values) and all(isinstance(value, dict | list) for value in values)
