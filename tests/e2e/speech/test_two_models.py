"""Two speech models in one service: a request chooses, by the name that the SDK calls endpoint id."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.e2e.speech.test_rest import ASKED, SPOKEN, TRANSCRIBE, VERSION, post, used, wav
from tests.support.chatter import write_mishearing
from tests.support.site import Site
from tests.support.tones import wave
from tests.support.usp import Wire, phrases, turn_id

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library of a model that mishears, and of a folder that holds none."""
    models = tmp_path_factory.mktemp("library")
    write_mishearing(models / "other")
    (models / "broken").mkdir()
    (models / "broken" / "config.json").write_text("{}")
    return models


@pytest.fixture
def both(new_site: Callable[..., Site], tones: Path, models: Path) -> Iterator[httpx2.Client]:
    words = (f"Mounts:Model={tones}", f"Models:Path={models}", "Engine:Sessions=1")
    with new_site().start("Service=speechtotext", *words).client() as client:
        yield client


def transcribed(client: httpx2.Client, **query: str) -> Any:
    reply = client.post(TRANSCRIBE, params={**VERSION, **query}, files={"audio": wav()})
    return reply.json()["phrases"][0]["text"] if reply.status_code == 200 else reply.status_code


def test_a_request_chooses_its_model_and_every_answer_is_counted(both: httpx2.Client) -> None:
    listed = both.get("/models").json()["models"]
    assert [(one["deploymentName"], one["status"], one["default"]) for one in listed] == [
        ("production", "ready", True),
        ("other", "ready", False),
        ("broken", "failed", False),
    ]
    before = used(both)
    assert transcribed(both) == "Turn left."
    for name in ("other", "demo/other", "tones-mishearing"):
        assert transcribed(both, cid=name) == "Tuln reft."
    for name in ("production", "demo", "tones", "0cafe000-0000-0000-0000-000000000000"):
        assert transcribed(both, cid=name) == "Turn left."
    assert used(both) == before + 8 * 2
    assert transcribed(both, cid="demo/broken") == 400
    assert transcribed(both, cid="nobody") == 400
    assert post(both, wav(), {**ASKED, "cid": "other"}).json()["DisplayText"] == "Tuln reft."
    assert post(both, wav()).json()["DisplayText"] == "Turn left."


def test_a_connection_chooses_its_model_too(both: httpx2.Client) -> None:
    for cid, said in (("other", "Tuln reft."), ("production", "Turn left.")):
        with Wire(str(both.base_url).rstrip("/"), query=f"language=en-us&cid={cid}") as wire:
            wire.say(turn_id(), wave(SPOKEN))
            assert [one["DisplayText"] for one in phrases(wire.until("turn.end"))] == [said]
