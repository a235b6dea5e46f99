"""What the commands ask a running desk: its status, a write-off, a signature."""

from __future__ import annotations

import json
import time
from typing import Any, Final

from appliance.errors import SettingsError
from license.client.http import get, parse_address, post
from license.client.licenses import KEY_HEADER, check_key, refusal
from license.encoding.strict import clean_text, parse_json, shown
from license.errors import BadReply, LicenseError, Malformed

TIMEOUT_SECONDS: Final = 30
MAX_REPLY_BYTES: Final = 16 << 20


def ask_desk(url: str, path: str, key: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return what a desk answers.

    Args:
        url: Its address.
        path: What is asked.
        key: The key of the site.
        body: What is sent; None to ask with GET.

    Raises:
        SettingsError: The address is none.
        DownloadError: It cannot be reached, or refuses; the class says which.
    """
    try:
        endpoint = parse_address(url, path)
    except LicenseError as error:  # whose words are of Billing
        raise SettingsError(
            f"--url must be an http or https address, not {shown(url)!r}",
            hint="such as http://127.0.0.1:5080",
        ) from error
    check_key(key)
    headers = {KEY_HEADER: key, "Accept": "application/json"}
    if body is None:
        reply = get(endpoint, headers, TIMEOUT_SECONDS)
    else:
        reply = post(endpoint, json.dumps(body).encode(), headers, TIMEOUT_SECONDS)
    if reply.code != 200:
        raise refusal(endpoint, reply, int(time.time()))
    try:
        text = clean_text(reply.body, max_bytes=MAX_REPLY_BYTES)
        return parse_json(text, max_bytes=MAX_REPLY_BYTES)
    except Malformed as error:
        raise BadReply(f"the answer is not a desk's: {error.message}") from error
