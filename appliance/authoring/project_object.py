"""A project as the project file has it: what an export holds and what a training reads."""

from typing import Any

from appliance.authoring.labelling import labelled_only
from appliance.authoring.tables import ProjectRow
from appliance.datasets.project_file import KIND


def file_object(row: ProjectRow) -> dict[str, Any]:
    """Return the project file."""
    return {
        "projectFileVersion": "2022-05-01",
        "stringIndexType": "Utf16CodeUnit",
        "metadata": {
            "projectKind": KIND,
            "storageInputContainerName": row.container,
            "projectName": row.name,
            "multilingual": row.multilingual,
            "description": row.description,
            "language": row.language,
            "settings": row.settings,
        },
        "assets": row.assets or {"projectKind": KIND, "entities": [], "documents": []},
    }


def labelled_file_object(row: ProjectRow) -> tuple[dict[str, Any], int]:
    """Return the project file without the documents that nobody labelled, and how many those are."""
    file = file_object(row)
    assets, left_out = labelled_only(file["assets"])
    return {**file, "assets": assets}, left_out
