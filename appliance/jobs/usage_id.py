"""What the usage of a task is recorded under: its id, bound to exactly what was counted.

    0193a1b2-…:8Jx3…        id of the task, a colon, keyed digest of what it asks and of its documents

After a crash a task is done again uncounted only where the ledger holds this identifier, so a row of the job
store that was changed meanwhile is counted anew. Without the key, which is this installation's, the digest
tells nobody anything about a text.
"""

import base64
import hmac
import json
from collections.abc import Sequence
from hashlib import sha256
from typing import Final

from appliance.jobs.job import Source, Task

_PURPOSE: Final = b"offline-appliance/counted-task/v1"


class UsageIds:
    """Makes the identifiers of one installation.

    Args:
        secret: At least 32 bytes that only this installation knows.
    """

    def __init__(self, secret: bytes) -> None:
        self._key = hmac.digest(secret, _PURPOSE, sha256)

    def of(self, task: Task, documents: Sequence[Source]) -> str:
        """The identifier of a task over these documents; takes time in proportion to their size."""
        asked = [task.id, task.kind, task.project, task.deployment, task.version, task.unit]
        counted = [asked, [_counted(document) for document in documents]]
        digest = hmac.digest(self._key, json.dumps(counted).encode("ascii"), sha256)
        return f"{task.id}:{base64.urlsafe_b64encode(digest).decode('ascii').rstrip('=')}"


def _counted(document: Source) -> list[str | int]:
    # A document without a language has the identifier that earlier versions gave it.
    named = [document.language] if document.language else []
    return [document.id, len(document.text), document.text, *named]
