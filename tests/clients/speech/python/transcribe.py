"""`python transcribe.py ENDPOINT FILE OPTIONS`: prints as JSON what the client of transcription returned.

OPTIONS is the JSON of the client's `TranscriptionOptions`. A refusal is printed as its status and code.
"""

import json
import sys
from pathlib import Path

from azure.ai.transcription import TranscriptionClient
from azure.ai.transcription.models import TranscriptionContent, TranscriptionOptions
from azure.core.credentials import AzureKeyCredential
from azure.core.exceptions import HttpResponseError


def main(endpoint: str, file: str, given: str) -> None:
    """Transcribe a file."""
    client = TranscriptionClient(endpoint=endpoint, credential=AzureKeyCredential("none"))
    path = Path(file)
    with client, path.open("rb") as audio:
        body = TranscriptionContent(
            definition=TranscriptionOptions(json.loads(given)), audio=(path.name, audio)
        )
        try:
            found = client.transcribe(body).as_dict()
        except HttpResponseError as error:
            found = {"status": error.status_code, "code": error.error.code if error.error else ""}
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
