"""A model of many languages is asked for one, chooses among candidates, or refuses what it does not know."""

import json
from collections.abc import Callable
from pathlib import Path

from tests.e2e.speech.test_rest import wav
from tests.support.dictation import amiable
from tests.support.site import Site
from tests.support.usp import PATH
from tests.support.whisper import tiny_folder

TRANSCRIBE = "/speechtotext/transcriptions:transcribe?api-version=2024-11-15"


def test_languages_are_served_by_request_and_detection(new_site: Callable[..., Site], tmp_path: Path) -> None:
    folder = tiny_folder(tmp_path / "tiny")  # of random weights: texts are noise, languages are chosen
    service = new_site().start(
        "Service=speechtotext", f"Mounts:Model={folder}", "Speech:LeastConfidencePercent=0"
    )
    sound = wav(amiable())
    with service.client() as client:

        def asked(language: str) -> tuple[int, str]:
            reply = client.post(
                PATH.format(mode="interactive"),
                params={"language": language},
                content=sound,
                headers={"Content-Type": "audio/wav"},
            )
            return reply.status_code, reply.text

        assert [asked(language)[0] for language in ("de-DE", "de-AT", "fr-FR", "en-us")] == [200] * 4
        status, text = asked("es-ES")
        assert status == 400
        assert "'es-ES' is not served here; the model speaks 3 languages (en, de, fr, …)" in text

        def transcribed(locales: list[str]) -> list[str]:
            reply = client.post(
                TRANSCRIBE,
                files={"audio": ("a.wav", sound)},
                data={"definition": json.dumps({"locales": locales})},
            )
            assert reply.status_code == 200, reply.text
            return [phrase["locale"] for phrase in reply.json()["phrases"]]

        assert transcribed(["fr-CA"]) == ["fr-CA"]
        (found,) = transcribed(["de-CH", "fr-CA"])
        assert found in {"de-CH", "fr-CA"}
        (found,) = transcribed([])
        assert found in {"en-US", "de", "fr"}
        refused = client.post(
            TRANSCRIBE,
            files={"audio": ("a.wav", sound)},
            data={"definition": json.dumps({"locales": ["es-ES"]})},
        )
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "InvalidLocale")
