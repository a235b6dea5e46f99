"""Headers with an answer's usage record, and with the warning of a licence in grace."""

from appliance.pipeline.pipeline import Answer, Recorded


def evidence_headers(answer: Answer | Recorded) -> dict[str, str]:
    """Where the usage of this answer is recorded, how much it is, and the warning of a licence in grace.

    `csp-billing-usage` is written as Azure writes it, `METER=QUANTITY`.
    """
    headers = {}
    if answer.receipt is not None and answer.usage is not None:
        headers["Usage-Record"] = answer.receipt.header
        headers["csp-billing-usage"] = f"{answer.usage.meter}={answer.usage.quantity}"
    return headers | warning_header(answer.admission.warning)


def warning_header(warning: str) -> dict[str, str]:
    """The `Warning` header (RFC 7234 section 5.5.7, miscellaneous persistent warning), or none."""
    return {"Warning": f'299 - "{warning}"'} if warning else {}
