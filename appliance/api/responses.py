"""The JSON of refusals, as pydantic models, and what the schemas of all replies have in common.

Replies are built as plain dictionaries where they are made, because that is several times faster than
building models; the tests parse every kind of reply with these models, strictly.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic_core import to_json
from starlette.responses import JSONResponse


class JsonResponse(JSONResponse):
    """A JSON reply, encoded by pydantic's encoder, which is faster than that of the standard library."""

    def render(self, content: Any) -> bytes:
        """Encode plain JSON values as UTF-8."""
        return to_json(content)


class Reply(BaseModel):
    """A body or a part of one; tests hold what is sent to it, so nothing more may be in it."""

    model_config = ConfigDict(extra="forbid", strict=True)


class InnerError(Reply):
    """The precise reason; official clients show this one."""

    code: str
    message: str


class Error(Reply):
    """A refusal."""

    code: str
    message: str
    target: str | None = None
    innererror: InnerError | None = None


class ErrorResponse(Reply):
    """Body of every 4xx and 5xx reply."""

    error: Error
