"""The text lines of docs/deploy/README.md, typed at a terminal as they stand there."""

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest

from appliance.models.locations import GENERAL
from appliance.version import VERSION
from tests.support.site import SENTENCE
from tests.system.container.host import TEXT, USER, Host

BODY = {"kind": "EntityRecognition", "analysisInput": {"documents": [{"id": "1", "text": SENTENCE}]}}
DISCONNECTED = TEXT


def ask(host: Host) -> httpx2.Response:
    url = f"http://127.0.0.1:{host.port}/language/:analyze-text"
    return httpx2.post(url, params={"api-version": "2023-04-01"}, json=BODY, timeout=30, trust_env=False)


def found(host: Host) -> set[str]:
    reply = ask(host)
    assert reply.status_code == 200, reply.text
    (document,) = reply.json()["results"]["documents"]
    return {entity["text"] for entity in document["entities"]}


def used(host: Host) -> int:
    reply = httpx2.get(f"http://127.0.0.1:{host.port}/records/usage-logs/", timeout=30, trust_env=False)
    return sum(meter["quantity"] for meter in reply.json()["meters"])


def test_connected_with_an_exported_model_in_its_mount(host: Host) -> None:
    mount = host.directory("exported", mode=0o755)
    shutil.copytree(GENERAL["en"], mount / "Contracts" / "v1")
    line = host.line(
        "Text, connected",
        API_KEY=host.shop.connected,
        LOCAL_PATH=str(mount),
        PROJECT_NAME="Contracts",
        MODEL_NAME="v1",
    )
    name, terminal = host.serve(line)
    assert "Berlin" in found(host)
    assert "Submitting metering to" in terminal.text()
    assert host.stop(name, terminal).code == 0


@pytest.mark.slow
def test_connected_without_rm_goes_on_where_it_was(host: Host) -> None:
    line = host.line(
        "Text, connected",
        API_KEY=host.shop.connected,
        LOCAL_PATH=str(host.directory("exported", mode=0o755)),
        PROJECT_NAME="Contracts",
        MODEL_NAME="v1",
    )
    shutil.copytree(GENERAL["en"], host.home / "exported" / "Contracts" / "v1")
    name, terminal = host.serve(line.replace(" --rm", ""))
    found(host)
    host.stop(name, terminal)
    host.engine.run("start", name)
    host.engine.wait_ready(name)
    assert used(host) == 1


def test_disconnected_after_the_download_and_again_with_the_next_container(host: Host) -> None:
    said = host.download()
    printed = next(line for line in said.splitlines() if line.strip().startswith("docker run"))
    for word in (f"{host.home}/license:/license", "Mounts:License=/license", "Mounts:Output=/output"):
        assert word in printed
    line = host.line(DISCONNECTED, 1)
    for counted in (1, 2):
        name, terminal = host.serve(line)
        assert "Berlin" in found(host)
        assert used(host) == counted
        assert "Disconnected" in terminal.text()
        assert host.stop(name, terminal).code == 0
    # The keys lie with the licence, and nothing else of this host was written.
    assert {path.name for path in (host.home / "license").iterdir()} >= {"identity", "license.note"}
    assert {path.name for path in host.home.iterdir()} == {"license", "output", "models"}


@pytest.mark.slow
@pytest.mark.parametrize(("memory", "model"), [("512m", ""), ("256m", " Models:General=en")])
def test_the_least_memory_of_the_page_holds_a_service_under_load(host: Host, memory: str, model: str) -> None:
    host.license()
    line = host.line(DISCONNECTED, 1).replace("--memory 4g", f"--memory {memory} --memory-swap {memory}")
    assert memory in line
    name, _ = host.serve(line + model)
    documents = [{"id": str(number), "text": (SENTENCE + " ") * 95} for number in range(5)]
    body = {"kind": "EntityRecognition", "analysisInput": {"documents": documents}}
    url = f"http://127.0.0.1:{host.port}/language/:analyze-text?api-version=2023-04-01"

    def ask_often(_: int) -> list[int]:
        with httpx2.Client(timeout=120, trust_env=False) as client:
            return [client.post(url, json=body).status_code for _ in range(5)]

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(ask_often, range(4))) == [[200] * 5] * 4
    assert not host.engine.inspect(name)["State"]["OOMKilled"]


def test_disconnected_without_any_network(host: Host) -> None:
    host.license()
    line = host.line(DISCONNECTED, 1).replace(f"-p 127.0.0.1:{host.port}:5000", "--network none")
    name, _ = host.serve(line)
    host.engine.wait_ready(name)


def test_the_printed_line_serves_as_it_is_pasted(host: Host) -> None:
    said = host.download()
    printed = next(line.strip() for line in said.splitlines() if line.strip().startswith("docker run"))
    assert "{OUTPUT_PATH}" in printed, "no output was mounted, and none is guessed"
    pasted = printed.replace("{OUTPUT_PATH}", str(host.home / "output"))
    pasted = pasted.replace("-p 5000:5000", f"-p 127.0.0.1:{host.port}:5000")
    assert f" offline-appliance:{VERSION} " in pasted
    pasted = pasted.replace(f" offline-appliance:{VERSION} ", f" {host.images['text']} ")
    host.serve(pasted)
    assert "Berlin" in found(host)


def test_a_key_beside_a_licence_changes_nothing(host: Host) -> None:
    """Slips in published samples: endpoint and key are kept in the disconnected line."""
    host.license()
    line = host.line(DISCONNECTED, 1).partition("eula=accept")[0]
    line += f"eula=accept billing={host.shop.url} apikey={host.shop.connected}"
    _, terminal = host.serve(line)
    assert "Disconnected" in terminal.text()


def test_the_doctor_beside_it_knows_what_it_was_started_with_until_ctrl_c_ends_it(host: Host) -> None:
    host.license()
    name, terminal = host.serve(host.line(DISCONNECTED, 1))
    done = host.engine.run("exec", name, "appliance", "doctor", check=False)
    assert done.returncode == 0, done.stdout
    assert "is ready" in done.stdout
    terminal.interrupt()
    assert terminal.ended(30).code == 0


def test_the_diagnostic_image_checks_the_way_to_the_endpoint(host: Host) -> None:
    good = host.run(host.line("Diagnosis", API_KEY=host.shop.connected))
    assert good.code == 0, good.text
    bad = host.run(host.line("Diagnosis", API_KEY="0" * 32))
    assert bad.code == 1


def test_one_licence_serves_one_container_at_a_time(new_host: Callable[..., Host]) -> None:
    host = new_host()
    host.license()
    host.serve(host.line(DISCONNECTED, 1))
    other = host.directory("second")
    ended = host.run(
        host.line(DISCONNECTED, 1, OUTPUT_PATH=str(other)).replace(f"-p 127.0.0.1:{host.port}:5000", "")
    )
    assert ended.code == 75
    assert "another process uses the keys" in ended.text


def test_an_installation_with_a_state_volume_goes_on_with_it(host: Host) -> None:
    state = host.directory("state")
    volume = f"-v {state}:/state"
    ended = host.run(host.line(DISCONNECTED, 0, API_KEY=host.shop.disconnected), volume)
    assert ended.code == 0, ended.text
    assert (state / "instance.key").exists()
    assert not (host.home / "license" / "identity").exists()
    for counted in (1, 2):
        name, terminal = host.serve(host.line(DISCONNECTED, 1), volume)
        found(host)
        assert used(host) == counted
        host.stop(name, terminal)
    assert (state / "instance.key").stat().st_uid == USER
