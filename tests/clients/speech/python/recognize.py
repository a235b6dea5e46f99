"""`python recognize.py HOST FILE once|continuous OPTIONS`: prints JSON, everything that the Python SDK told.

Events are those of `recognize.mjs`, after one that names the release.
"""

import json
import sys
import threading
from typing import Any

import azure.cognitiveservices.speech as sdk

SECONDS = 60


def main(host: str, file: str, how: str, given: str) -> None:
    """Recognise a file once, or to its end."""
    options = json.loads(given)
    seen: list[list[Any]] = [["release", sdk.__version__]]
    config = sdk.SpeechConfig(host=host)
    config.speech_recognition_language = options.get("language", "en-US")
    if options.get("detailed"):
        config.output_format = sdk.OutputFormat.Detailed
        config.request_word_level_timestamps()
    audio = sdk.audio.AudioConfig(filename=file)
    recognizer = sdk.SpeechRecognizer(speech_config=config, audio_config=audio)
    if "phrases" in options:
        phrases = sdk.PhraseListGrammar.from_recognizer(recognizer)
        for phrase in options["phrases"]:
            phrases.addPhrase(phrase)
    over = threading.Event()

    def told(kind: str, result: Any, *more: str) -> None:
        own = [json.loads(result.json)] if options.get("detailed") and result.json else []
        seen.append([kind, *more, result.text, *own])

    def canceled(event: Any) -> None:
        details = event.cancellation_details
        seen.append(["canceled", details.reason.name, details.code.name])

    if options.get("detailed"):
        recognizer.recognizing.connect(lambda event: seen.append(["recognizing", event.result.text]))
    recognizer.canceled.connect(canceled)
    if how == "once":
        result = recognizer.recognize_once()
        told("result", result, result.reason.name)
    else:
        recognizer.recognized.connect(
            lambda event: told("recognized", event.result) if event.result.text else None
        )
        recognizer.session_stopped.connect(lambda _: over.set())
        recognizer.start_continuous_recognition_async().get()
        if not over.wait(SECONDS):
            seen.append(["never settled"])
        recognizer.stop_continuous_recognition_async().get()
    sys.stdout.write(json.dumps(seen))


if __name__ == "__main__":
    main(*sys.argv[1:])
