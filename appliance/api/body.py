"""Reading a request body within a limit, before anything is parsed."""

from starlette.requests import ClientDisconnect, Request

from appliance.api.errors import Problem, body_too_large, invalid_body


async def read_body(request: Request, limit: int) -> bytes:
    """The body's bytes.

    Args:
        request: The request; its body must not have been read.
        limit: Most bytes accepted; the announced length is looked at first, then what really arrives.

    Raises:
        Problem: 413 over the limit, 400 for an empty body or one that breaks off.
    """
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limit:
        raise body_too_large(limit)
    chunks = bytearray()
    try:
        async for chunk in request.stream():
            chunks += chunk
            if len(chunks) > limit:
                raise body_too_large(limit)
    except ClientDisconnect:
        raise Problem(400, "InvalidRequest", "The caller left before the body was complete.") from None
    if not chunks:
        raise invalid_body("The body is empty.")
    return bytes(chunks)
