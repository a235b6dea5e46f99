"""A caller who leaves while a long recording is heard: the service stops, and counts nothing."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest

from tests.e2e.speech.test_rest import TRANSCRIBE, VERSION, used, wav
from tests.support.chatter import chatter
from tests.support.site import Service, Site

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]
PROGRESS = "/speechtotext/transcriptions:progress"
HEARING = "0123456789abcdef" * 2


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def leave_in_the_middle(service: Service, recording: bytes) -> None:
    """Send a recording, and close the connection as soon as some of it is heard."""
    headers = {"Hearing-Id": HEARING}

    def send() -> None:
        with service.client() as client, pytest.raises(httpx2.HTTPError):
            client.post(TRANSCRIBE, params=VERSION, files={"audio": recording}, headers=headers, timeout=3)

    with service.client() as other:
        sending = threading.Thread(target=send)
        sending.start()
        until(lambda: other.get(PROGRESS, params={"id": HEARING}).status_code == 200)
        sending.join()


def test_who_leaves_ends_the_hearing_and_pays_for_nothing(new_site: Callable[..., Site], tones: Path) -> None:
    service = new_site().start("Service=speechtotext", f"Mounts:Model={tones}", "Engine:Sessions=1")
    with service.client() as client:
        client.post(TRANSCRIBE, params=VERSION, files={"audio": wav()}).raise_for_status()
        before = used(client)
        leave_in_the_middle(service, chatter(1_800))
        until(lambda: client.get(PROGRESS, params={"id": HEARING}).status_code == 404)
        # Whoever comes next is heard at once, and is all that is counted.
        client.post(TRANSCRIBE, params=VERSION, files={"audio": wav()}).raise_for_status()
        assert used(client) == before + 2
