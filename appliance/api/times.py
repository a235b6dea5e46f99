"""Times as the API writes them."""

from datetime import UTC, datetime


def time_text(seconds: float, *, fraction: bool = False) -> str:
    """Unix seconds as the API writes them: UTC, `Z`, whole seconds unless a fraction is asked for."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ" if fraction else "%Y-%m-%dT%H:%M:%SZ")
