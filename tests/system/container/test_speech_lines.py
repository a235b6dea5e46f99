"""The speech lines of docs/deploy/README.md, typed at a terminal as they stand there."""

import httpx2

from tests.e2e.speech.test_rest import wav
from tests.system.container.host import Host

CONNECTED, DISCONNECTED = "Speech, connected", "Speech, disconnected"
LISTED, LISTED_WITH_DISPLAY, NEWEST, ONE, SERVED = range(5)
URL = "/speech/recognition/conversation/cognitiveservices/v1?language=en-US"


def recognized(host: Host) -> str:
    reply = httpx2.post(
        f"http://127.0.0.1:{host.port}{URL}",
        content=wav(),
        headers={"Content-Type": "audio/wav; codecs=audio/pcm; samplerate=16000"},
        timeout=30,
        trust_env=False,
    )
    assert reply.status_code == 200, reply.text
    return str(reply.json()["RecognitionStatus"])


def test_models_are_listed_alone_and_with_display_models(host: Host) -> None:
    base = host.run(host.line(CONNECTED, LISTED))
    assert base.code == 0, base.text
    assert "[Base model] Locale: en-us" in base.text
    assert "[Punct model]" not in base.text
    both = host.run(host.line(CONNECTED, LISTED_WITH_DISPLAY))
    assert "[Punct model] Locale: en-us" in both.text
    assert "[Rescore model] Locale: en-us" in both.text
    assert list((host.home / "models").iterdir()) == []


def test_display_models_are_downloaded_by_locale_and_by_id(host: Host) -> None:
    newest = host.run(host.line(CONNECTED, NEWEST))
    assert newest.code == 0, newest.text
    offer = host.shop.offers["rescore"]
    one = host.run(host.line(CONNECTED, ONE, RESCORE_ID=f"{offer.line}/{offer.release}"))
    assert one.code == 0, one.text
    assert len(list((host.home / "models").glob("*.model.note"))) == 2


def test_a_model_is_downloaded_and_served_then_licensed_and_served_without_network(host: Host) -> None:
    name, terminal = host.serve(host.line(CONNECTED, SERVED, MODEL_ID=host.shop.offers["model"].line))
    assert "downloaded" in terminal.text()
    assert recognized(host) == "Success"
    assert host.stop(name, terminal).code == 0
    licence = host.run(host.line(DISCONNECTED, 0, API_KEY=host.shop.speech))
    assert licence.code == 0, licence.text
    _, terminal = host.serve(host.line(DISCONNECTED, 1))
    assert recognized(host) == "Success"
    assert "Disconnected" in terminal.text()
