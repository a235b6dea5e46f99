"""What a program does with a release of `azure-ai-textanalytics`; runs where that release is installed.

python client.py ENDPOINT     prints JSON: the texts of the entities that each call brought, or what it raised
"""

import json
import sys
from collections.abc import Callable
from typing import Any

import azure.ai.textanalytics as sdk
from azure.core.credentials import AzureKeyCredential

TEXT = "Angela Merkel met reporters from Reuters in Berlin."
OPTIONS: dict[str, Any] = {"polling_interval": 0.1}


def texts(documents: Any) -> list[str]:
    return [entity.text for document in documents for entity in document.entities]


def of_release_5(endpoint: str) -> dict[str, Callable[[], Any]]:
    client = sdk.TextAnalyticsClient(endpoint, AzureKeyCredential("unused"))
    calls: dict[str, Callable[[], Any]] = {
        "entities": lambda: texts(client.recognize_entities([TEXT])),
        "refusal": lambda: client.recognize_entities([TEXT], model_version="1999-01-01"),
    }
    if hasattr(client, "begin_analyze_actions"):
        actions: list[Any] = [sdk.RecognizeEntitiesAction()]
        calls["job"] = lambda: texts(
            one for (one,) in client.begin_analyze_actions([TEXT], actions=actions, **OPTIONS).result()
        )
    if hasattr(sdk, "RecognizeCustomEntitiesAction"):
        custom: list[Any] = [sdk.RecognizeCustomEntitiesAction("demo", "production")]
        calls["custom"] = lambda: texts(
            one for (one,) in client.begin_analyze_actions([TEXT], actions=custom, **OPTIONS).result()
        )
    return calls


def of_release_6(endpoint: str) -> dict[str, Callable[[], Any]]:
    from azure.ai.textanalytics import models  # type: ignore[attr-defined,unused-ignore]

    wire: Any = models
    client: Any = sdk.TextAnalysisClient(endpoint, AzureKeyCredential("unused"))  # type: ignore[attr-defined,unused-ignore]
    document = wire.MultiLanguageInput(id="1", text=TEXT, language="en")
    documents = wire.MultiLanguageTextInput(multi_language_inputs=[document])

    def now(**parameters: Any) -> Any:
        content = wire.EntitiesActionContent(**parameters)
        body = wire.TextEntityRecognitionInput(text_input=documents, action_content=content)
        return texts(client.analyze_text(body).results.documents)

    def job(action: Any) -> Any:
        state = client.begin_analyze_text_job(text_input=documents, actions=[action], **OPTIONS).result()
        return texts(one for item in state.actions.items_property for one in item.results.documents)

    custom = wire.CustomEntitiesActionContent(project_name="demo", deployment_name="production")
    return {
        "entities": now,
        "job": lambda: job(wire.EntitiesLROTask(name="1", parameters=wire.EntitiesActionContent())),
        "custom": lambda: job(wire.CustomEntitiesLROTask(name="1", parameters=custom)),
        "refusal": lambda: now(model_version="1999-01-01"),
    }


def outcome(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except Exception as error:  # the test judges it
        return f"{type(error).__name__}: {error}"


if __name__ == "__main__":
    make = of_release_5 if hasattr(sdk, "TextAnalyticsClient") else of_release_6
    sys.stdout.write(json.dumps({name: outcome(call) for name, call in make(sys.argv[1]).items()}))
