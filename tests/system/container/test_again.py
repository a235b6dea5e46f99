"""Every line of docs/deploy/README.md without `--rm`: what it leaves is in nobody's way.

The container of such a line stays, stopped. Typed again, the line makes another one, which goes on with the
keys and the ledger of the first; so does the first when it is started again.
"""

import shutil
from collections.abc import Callable

import pytest

from appliance.models.locations import GENERAL
from tests.system.container.host import Host
from tests.system.container.test_speech_lines import (
    CONNECTED,
    LISTED,
    LISTED_WITH_DISPLAY,
    NEWEST,
    ONE,
    SERVED,
    recognized,
)
from tests.system.container.test_speech_lines import DISCONNECTED as SPEECH
from tests.system.container.test_text_lines import DISCONNECTED as TEXT
from tests.system.container.test_text_lines import found, used

pytestmark = pytest.mark.slow


def kept(line: str) -> str:
    """The line without `--rm`; it has it."""
    assert " --rm" in line
    return line.replace(" --rm", "", 1)


def ended(host: Host, line: str) -> str:
    """What a line says that ends by itself, the first time and again."""
    said = [host.run(kept(line)) for _ in range(2)]
    assert [one.code for one in said] == [0, 0], said[0].text + said[1].text
    return said[1].text


def counted(host: Host, line: str, work: Callable[[Host], object]) -> None:
    """Serve twice with a container each, and then with the first again: one ledger counts all."""
    names = []
    for _ in range(2):
        name, terminal = host.serve(kept(line))
        work(host)
        assert host.stop(name, terminal).code == 0
        names.append(name)
        assert keys_of(host) == 1
    host.engine.run("start", names[0])
    host.engine.wait_ready(names[0])
    before = used(host)
    work(host)
    assert before > 0
    assert used(host) > before
    assert keys_of(host) == 1


def keys_of(host: Host) -> int:
    """How many installations have written a ledger here."""
    return sum(1 for product in (host.home / "output").iterdir() for _ in product.iterdir())


def test_text_connected(host: Host) -> None:
    shutil.copytree(GENERAL["en"], host.directory("exported", mode=0o755) / "Contracts" / "v1")
    line = host.line(
        "Text, connected", API_KEY=host.shop.connected, LOCAL_PATH=str(host.home / "exported"),
        PROJECT_NAME="Contracts", MODEL_NAME="v1",
    )  # fmt: skip
    for _ in range(2):  # without volumes each container is an installation of its own
        name, terminal = host.serve(kept(line))
        assert "Berlin" in found(host)
        assert host.stop(name, terminal).code == 0


def test_text_disconnected(host: Host) -> None:
    ended(host, host.line(TEXT, 0, API_KEY=host.shop.disconnected))
    counted(host, host.line(TEXT, 1), found)
    assert used(host) == 3


def test_speech_models(host: Host) -> None:
    for number in (LISTED, LISTED_WITH_DISPLAY):
        assert "[Base model] Locale: en-us" in ended(host, host.line(CONNECTED, number))
    ended(host, host.line(CONNECTED, NEWEST))
    offer = host.shop.offers["rescore"]
    ended(host, host.line(CONNECTED, ONE, RESCORE_ID=f"{offer.line}/{offer.release}"))
    assert len(list((host.home / "models").glob("*.model.note"))) == 2


def test_speech_connected_and_disconnected(host: Host) -> None:
    line = host.line(CONNECTED, SERVED, MODEL_ID=host.shop.offers["model"].line)
    for word in ("downloaded", "holds a model already"):
        name, terminal = host.serve(kept(line))
        assert word in terminal.text()
        assert recognized(host) == "Success"
        assert host.stop(name, terminal).code == 0
    ended(host, host.line(SPEECH, 0, API_KEY=host.shop.speech))
    counted(host, host.line(SPEECH, 1), recognized)


def test_diagnosis(host: Host) -> None:
    ended(host, host.line("Diagnosis", API_KEY=host.shop.connected))
