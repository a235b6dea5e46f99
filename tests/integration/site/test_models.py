"""A model package of the vendor on its way by a desk to a replica, which opens it with its lease."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from license.authority.authority import Authority
from license.client.licenses import KEY_HEADER
from tests.support.desk import DeskSite, until
from tests.support.forked_process import run_forked_text
from tests.support.paths import ROOT
from tests.support.site import SENTENCE, VERSION, clean_environ

MODEL = ROOT / "appliance" / "bundled" / "ner-en"
LINE = "ner-en/9"


@pytest.fixture
def site(new_desk: Callable[..., DeskSite], tmp_path: Path) -> Iterator[DeskSite]:
    """A site with a model line of which the desk has a package; the vendor is this test's own."""
    authority = Authority.create(tmp_path / "vendor", name="license.example.com")
    authority.create_line(LINE)
    made = new_desk(vendor=authority)
    made.buy(100, models=(LINE,))
    made.set_up(models=(LINE,))
    packages = made.home / "packages"
    packages.mkdir()
    authority.pack(MODEL, line=LINE, release="1.0.0", name="ner-en", task="ner", out=packages)
    made.start()
    yield made
    made.close()
    authority.close()


def download(site: DeskSite, models: Path, *words: str) -> "tuple[int, str, str]":
    replica = site.replicas[-1]
    given = [
        *("license", "download", *words, "--roots", str(site.vendor.roots_dir), "Eula=accept"),
        *(f"Billing={site.url}", f"ApiKey={site.key}", f"Mounts:Model={models}"),
        *(f"Mounts:License={replica.license}", f"Mounts:Output={replica.output}"),
    ]
    done = run_forked_text("appliance", given, environ=clean_environ())
    return done.returncode, done.stdout, done.stderr


@pytest.mark.e2e
def test_a_replica_fetches_a_package_from_its_desk_and_answers_with_it_under_its_lease(
    site: DeskSite, tmp_path: Path
) -> None:
    models, replica = tmp_path / "models", site.replica()
    code, told, said = download(site, models, "--models-only", "--model", LINE, "--json")
    assert code == 0, said
    (package,) = json.loads(told)["packages"]
    offered = (site.home / "packages" / Path(package).name).read_bytes()
    assert Path(package).read_bytes() == offered
    service = replica.start(f"Mounts:Model={models}")
    with service.client() as client:
        (model,) = client.get("/status").json()["models"]
        assert model["release"] == "1.0.0"
        body = {"kind": "EntityRecognition", "analysisInput": {"documents": [{"id": "1", "text": SENTENCE}]}}
        answers: list[dict[str, Any]] = []

        def is_answered() -> bool:
            """Whether the desk, which listens first, has granted units."""
            reply = client.post("/language/:analyze-text", params=VERSION, json=body)
            if reply.status_code == 200:
                answers.append(reply.json())
            return bool(answers)

        until(is_answered)
    entities = answers[0]["results"]["documents"][0]["entities"]
    assert [entity["text"] for entity in entities] == ["Angela Merkel", "Reuters", "Berlin"]
    assert service.stop() == 0
    assert site.meter()["charged"] == 1


def test_a_part_of_a_package_is_handed_out_and_nothing_without_the_key(site: DeskSite) -> None:
    keyed = {KEY_HEADER: site.key}
    listed = httpx2.get(f"{site.url}/v1/models", headers=keyed, trust_env=False).json()["models"]
    assert [(model["line"], model["release"]) for model in listed] == [(LINE, "1.0.0")]
    address = f"{site.url}/v1/models/{LINE}/1.0.0/package"
    assert httpx2.get(address, trust_env=False).status_code == 401
    part = httpx2.get(address, headers={**keyed, "Range": "bytes=10-19"}, trust_env=False)
    whole = httpx2.get(address, headers=keyed, trust_env=False)
    assert (part.status_code, part.content) == (206, whole.content[10:20])
    assert len(whole.content) == listed[0]["bytes"]


def test_a_desk_gives_no_licence_to_take_away_and_names_the_option_for_packages(
    site: DeskSite, tmp_path: Path
) -> None:
    site.replica()
    code, _, said = download(site, tmp_path / "models", "--model", LINE)
    assert code != 0
    assert "it gives leases to replicas that run connected, and no licences" in said
    assert "--models-only" in said


def test_packages_alone_need_a_line_and_a_place(site: DeskSite, tmp_path: Path) -> None:
    site.replica()
    code, _, said = download(site, tmp_path / "models", "--models-only")
    assert code == 78
    assert "--models-only also needs --model" in said
