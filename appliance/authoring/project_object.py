"""A project as the project file has it: what an export holds and what a training reads."""

from typing import Any

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
