"""Headers that tell of an answer's usage record, and of a licence that draws near its end."""

from appliance.pipeline.pipeline import Answer


def evidence_headers(answer: Answer) -> dict[str, str]:
    """Where the usage of this answer is recorded, and the warning of a licence in grace."""
    headers = {}
    if answer.receipt is not None:
        headers["Usage-Record"] = answer.receipt.header
    return headers | warning_header(answer.admission.warning)


def warning_header(warning: str) -> dict[str, str]:
    """The `Warning` header (RFC 7234 section 5.5.7, miscellaneous persistent warning), or none."""
    return {"Warning": f'299 - "{warning}"'} if warning else {}
