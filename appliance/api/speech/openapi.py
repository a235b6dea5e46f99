"""The OpenAPI 3.1 document of the speech service; the format has no words for its WebSocket but prose."""

from typing import Any, Final

from pydantic.json_schema import models_json_schema

from appliance.api.language.responses import MODELS as LANGUAGE_MODELS
from appliance.api.openapi_builder import operation, query
from appliance.api.operations.openapi import service_paths
from appliance.api.speech.responses import MODELS, Recognition, Transcribed
from appliance.api.speech.transcription import API_VERSIONS, PATH, Definition
from appliance.version import VERSION

_MODES: Final = ("interactive", "conversation", "dictation")
_BINARY: Final = {"schema": {"type": "string", "format": "binary"}}


def document() -> dict[str, Any]:
    """The whole document as plain JSON values."""
    models = [(model, "validation") for model in (*MODELS, Definition, *LANGUAGE_MODELS)]
    _, schemas = models_json_schema(models, ref_template="#/components/schemas/{model}")  # type: ignore[arg-type]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Offline inference appliance: speech to text",
            "version": VERSION,
            "description": "Speech to text as the Azure AI Speech containers answer it, metered off line in "
            "seconds of audio. The Speech SDK uses the same paths as a WebSocket. Errors have one shape "
            "everywhere. 429 and 503 say when to come back.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "tags": [
            {"name": "Speech", "description": "What the Speech SDK and the REST clients call."},
            {"name": "Service", "description": "State and usage; never charged."},
        ],
        "security": [{}, {"key": []}],
        "paths": {
            "/speech/recognition/{mode}/cognitiveservices/v1": {"post": _short()},
            PATH: {"post": _transcribe()},
            **service_paths(),
        },
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {
                "key": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "Ocp-Apim-Subscription-Key",
                    "description": "Only where the operator set keys.",
                }
            },
        },
    }


def _short() -> dict[str, Any]:
    mode = {
        "name": "mode",
        "in": "path",
        "required": True,
        "schema": {"type": "string", "enum": list(_MODES)},
    }
    described = operation(
        "recognizeShortAudio",
        "Recognise up to a minute of audio; as a WebSocket, the protocol of the Speech SDK",
        [
            mode,
            query("language", {"type": "string"}, required=True, text="Locale of the model, as en-US."),
            query("cid", {"type": "string"}, text="A model of `/models`, as NAME or PROJECT/NAME."),
            query("format", {"type": "string", "enum": ["simple", "detailed"], "default": "simple"}),
            query("profanity", {"type": "string", "enum": ["masked", "removed", "raw"], "default": "masked"}),
        ],
        {"200": ("What was said, or why nothing was", Recognition)},
        tag="Speech",
    )
    media = ("audio/wav", "audio/ogg", "audio/flac")
    described["requestBody"] = {"required": True, "content": dict.fromkeys(media, _BINARY)}
    return described


def _transcribe() -> dict[str, Any]:
    described = operation(
        "transcribe",
        "Transcribe a file at once",
        [
            query("api-version", {"type": "string", "enum": list(API_VERSIONS)}, required=True),
            query("cid", {"type": "string"}, text="A model of `/models`, as NAME or PROJECT/NAME."),
        ],
        {"200": ("The phrases of the file", Transcribed)},
        tag="Speech",
    )
    properties = {
        "audio": {"type": "string", "format": "binary"},
        "definition": {"$ref": "#/components/schemas/Definition"},
    }
    schema = {"type": "object", "required": ["audio"], "properties": properties}
    described["requestBody"] = {"required": True, "content": {"multipart/form-data": {"schema": schema}}}
    return described
