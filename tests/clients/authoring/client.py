"""What an author's program does with the official client; runs where that client is installed.

python tests/clients/authoring/client.py ENDPOINT KEY PROJECT.json     prints JSON of what came back
"""

import json
import sys
from pathlib import Path
from typing import Any

from azure.ai.textanalytics.authoring import (  # type: ignore[import-not-found,import-untyped,unused-ignore]
    TextAuthoringClient,
)
from azure.ai.textanalytics.authoring import (
    models as wire,
)
from azure.core.credentials import AzureKeyCredential

NAME = "client"


def main(endpoint: str, key: str, path: Path) -> dict[str, Any]:
    client = TextAuthoringClient(endpoint, AzureKeyCredential(key), polling_interval=1)
    file: dict[str, Any] = json.loads(path.read_text())
    file["metadata"]["projectName"] = NAME
    project = client.get_project_client(NAME)
    project.project.begin_import(body=wire.ExportedProject(file)).result()
    details = client.get_project(NAME)
    trained = project.project.begin_train(
        body=wire.TrainingJobDetails(
            model_label="m1",
            training_config_version="fast",
            evaluation_options=wire.EvaluationDetails(kind="manual"),
        )
    ).result()
    evaluation = project.trained_model.get_model_evaluation_summary("m1")
    project.deployment.begin_deploy_project(
        "prod", body=wire.CreateDeploymentDetails(trained_model_label="m1")
    ).result()
    deployment = project.deployment.get_deployment("prod")
    project.exported_model.begin_create_or_update_exported_model(
        "v1", body=wire.ExportedModelDetails(trained_model_label="m1")
    ).result()
    exported = project.exported_model.get_exported_model("v1")
    manifest = project.exported_model.get_exported_model_manifest("v1")
    project.project.begin_export(string_index_type="Utf16CodeUnit").result()
    found = {
        "project": details.project_name,
        "kind": details.project_kind,
        "modified": details.last_modified_on.isoformat(),
        "trained": trained.model_label,
        "f1": evaluation.custom_entity_recognition_evaluation.micro_f1,
        "model": project.trained_model.get_trained_model("m1").model_id,
        "models": [one.label for one in project.project.list_trained_models()],
        "deployment": deployment.model_id,
        "deployments": [one.deployment_name for one in project.project.list_deployments()],
        "exported": exported.model_id,
        "exports": [one.exported_model_name for one in project.project.list_exported_models()],
        "files": sorted(one.name for one in manifest.model_files),
        "projects": [one.project_name for one in client.list_projects()],
        "versions": [
            one.training_config_version
            for one in client.list_training_config_versions(project_kind="CustomEntityRecognition")
        ],
    }
    client.begin_delete_project(NAME).result()
    return found


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))))
