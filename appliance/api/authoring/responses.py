"""Rows as the authoring API shows them (`analyzetext-authoring.json`, 2023-04-15-preview)."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from appliance.api.times import time_text
from appliance.authoring.store import JOB_SECONDS
from appliance.authoring.tables import DeploymentRow, ExportRow, JobRow, ModelRow, ProjectRow
from appliance.datasets.project_file import KIND
from appliance.training.evaluation.scoring import NOTHING

NEVER: Final = "2099-12-31"
"""Models on this box do not expire."""


def project_object(row: ProjectRow, languages: Sequence[str] | None = None) -> dict[str, Any]:
    """Return a project's metadata; what has not happened yet is left out.

    Args:
        row: The project.
        languages: Languages its newest model was made for, where that is told.
    """
    project: dict[str, Any] = {
        "projectName": row.name,
        "projectKind": KIND,
        "storageInputContainerName": row.container,
        "language": row.language,
        "description": row.description,
        "multilingual": row.multilingual,
        "settings": row.settings,
        "createdDateTime": time_text(row.created),
        "lastModifiedDateTime": time_text(row.modified),
    }
    for key, moment in (("lastTrainedDateTime", row.trained), ("lastDeployedDateTime", row.deployed)):
        if moment is not None:
            project[key] = time_text(moment)
    if languages is not None:
        project["modelLanguages"] = list(languages)
    return project


def job_object(row: JobRow, **more: Any) -> dict[str, Any]:
    """Return a job's state."""
    return {
        "jobId": row.id,
        "createdDateTime": time_text(row.created),
        "lastUpdatedDateTime": time_text(row.updated),
        "expirationDateTime": time_text(row.created + JOB_SECONDS),
        "status": row.status,
        "warnings": row.warnings,
        "errors": row.errors,
        **more,
    }


def training_object(row: JobRow) -> dict[str, Any]:
    """Return what a training job is at."""
    outcome = row.outcome
    percent = int(100 * float(outcome.get("share", 0.0)))
    training = {"percentComplete": percent, "startDateTime": time_text(row.created), "status": row.status}
    if row.status in ("succeeded", "failed", "cancelled"):
        training["endDateTime"] = time_text(row.updated)
    return {
        "modelLabel": row.target,
        "trainingConfigVersion": outcome.get("version", ""),
        "trainingStatus": training,
        "evaluationStatus": {
            "percentComplete": 100 if row.status == "succeeded" else 0,
            "status": row.status if row.status == "succeeded" else "notStarted",
        },
        **({"modelLanguages": outcome["languages"]} if "languages" in outcome else {}),
    }


def model_object(row: ModelRow, languages: Sequence[str]) -> dict[str, Any]:
    """Return a trained model and the languages it was made for."""
    return {
        "label": row.label,
        "modelId": row.id,
        "lastTrainedDateTime": time_text(row.trained),
        "lastTrainingDurationInSeconds": round(row.seconds),
        "modelExpirationDate": NEVER,
        "modelTrainingConfigVersion": row.version,
        "hasSnapshot": True,
        "modelLanguages": list(languages),
    }


def deployment_object(row: DeploymentRow, model: ModelRow | None) -> dict[str, Any]:
    """Return a deployment."""
    return {
        "deploymentName": row.name,
        "modelId": row.model,
        "lastTrainedDateTime": time_text(model.trained if model else row.deployed),
        "lastDeployedDateTime": time_text(row.deployed),
        "deploymentExpirationDate": NEVER,
        "modelTrainingConfigVersion": model.version if model else "",
        "assignedResources": [],
    }


def export_object(row: ExportRow) -> dict[str, Any]:
    """Return an exported model."""
    return {
        "exportedModelName": row.name,
        "modelId": row.model,
        "lastTrainedDateTime": time_text(row.trained),
        "lastExportedModelDateTime": time_text(row.exported),
        "modelExpirationDate": NEVER,
        "modelTrainingConfigVersion": row.version,
    }


def summary_object(evaluation: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the evaluation summary, from `evaluation.json` of a model folder."""
    micro, macro = evaluation["micro"], evaluation["macro"]
    return {
        "projectKind": KIND,
        "evaluationOptions": dict(options),
        "customEntityRecognitionEvaluation": {
            "confusionMatrix": _matrix(evaluation["confusion"]),
            "entities": {name: _entity(scores) for name, scores in evaluation["categories"].items()},
            "microF1": micro["f1"],
            "microPrecision": micro["precision"],
            "microRecall": micro["recall"],
            "macroF1": macro["f1"],
            "macroPrecision": macro["precision"],
            "macroRecall": macro["recall"],
            "mistakes": evaluation.get("worst", []),
            **_languages(evaluation),
        },
    }


def _languages(evaluation: Mapping[str, Any]) -> dict[str, Any]:
    """Scores by language of the test documents, where they are in several."""
    if "languages" not in evaluation:
        return {}
    return {
        "languages": {
            name: {"documentCount": scores["documents"], **_entity(scores)}
            for name, scores in evaluation["languages"].items()
        }
    }


def _entity(scores: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "f1": scores["f1"],
        "precision": scores["precision"],
        "recall": scores["recall"],
        "truePositiveCount": scores["right"],
        "trueNegativeCount": 0,
        "falsePositiveCount": scores["found"] - scores["right"],
        "falseNegativeCount": scores["support"] - scores["right"],
    }


def _matrix(pairs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return rows by labelled and columns by found category; normalised by row, `$none` for no entity."""
    names = sorted({pair[side] for pair in pairs for side in ("labelled", "found")} | {NOTHING})
    counts = {(pair["labelled"], pair["found"]): pair["count"] for pair in pairs}
    matrix = {}
    for labelled in names:
        total = sum(counts.get((labelled, predicted), 0) for predicted in names)
        matrix[labelled] = {
            predicted: {
                "rawValue": counts.get((labelled, predicted), 0),
                "normalizedValue": counts.get((labelled, predicted), 0) / total if total else 0.0,
            }
            for predicted in names
        }
    return matrix


def result_object(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return one test document's result."""
    keys = ("expectedEntities", "predictedEntities", "regionOffset", "regionLength")
    return {
        "projectKind": KIND,
        "location": result["location"],
        "language": result["language"],
        "customEntityRecognitionResult": {"entities": [{key: result[key] for key in keys}]},
    }


def today(seconds: float) -> str:
    """Return a date as versions of training configurations are written."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")
