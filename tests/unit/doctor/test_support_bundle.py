"""Nothing secret and no customer's text leaves in a support archive: secrets are planted and searched for."""

import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from appliance.config.setting_table import describe
from appliance.config.settings import Settings
from appliance.doctor.examine import Examination
from appliance.doctor.support_bundle import SECRET_SETTINGS, shown_settings, write_bundle
from appliance.licensing.installation import Installation
from license.encoding.strict import parse_time
from tests.support.site import SENTENCE, VERSION, Site

NOW = parse_time("2026-11-21T09:00:00Z")
SECRETS = ("pl4nted-api-key", "pl4nted-database-password", "Pl4nted Patient Name")


def contents(path: Path) -> dict[str, str]:
    with tarfile.open(path) as archive:
        return {
            entry.name: opened.read().decode()
            for entry in archive.getmembers()
            if (opened := archive.extractfile(entry)) is not None
        }


def test_planted_secrets_are_not_in_the_archive(
    site: Site, who: Callable[..., Installation], look: Callable[..., Examination], tmp_path: Path
) -> None:
    words = (f"ApiKey={SECRETS[0]}", f"Jobs:Database=postgresql://u:{SECRETS[1]}@db/jobs")
    logs = site.output / "customner" / "0f3a9c2b7d11" / "logs"
    logs.mkdir(parents=True)
    (logs / "customner.json").write_text(
        json.dumps(
            {
                "timestamp": "2026-11-21T08:00:00Z",
                "level": "Warning",
                "category": "appliance",
                "event": "%s is refused",
                "message": f"{SECRETS[2]} is refused",
            }
        )
        + "\nnot json\n"
    )
    for name in ("instance.key", "hpke.key", "stray"):
        with (site.state / name).open("a") as file:
            file.write(f"\n{SECRETS[0]}")
    target = tmp_path / "support.tar.gz"
    write_bundle(target, who(*words).settings, look(*words), now=NOW)
    found = contents(target)
    assert target.stat().st_mode & 0o777 == 0o600
    for text in (*SECRETS, "PRIVATE+KEY", "AGE-SECRET-KEY", "Test customer"):
        for name, content in found.items():
            assert text not in content, (text, name)
    events = json.loads(found["appliance-doctor/log.json"])["events"]
    assert events == [
        {
            "timestamp": "2026-11-21T08:00:00Z",
            "level": "Warning",
            "category": "appliance",
            "event": "%s is refused",
        }
    ]


def test_settings_are_shown_and_secret_ones_only_as_set() -> None:
    settings = Settings.read(["ApiKey=x", "Http:Port=5001"], {})
    assert shown_settings(settings) == {"ApiKey": "(set)", "Http:Port": "5001"}
    assert {key for key, _, _ in describe()} >= SECRET_SETTINGS


def test_an_archive_never_replaces_a_file(
    who: Callable[..., Installation], look: Callable[..., Examination], tmp_path: Path
) -> None:
    target = tmp_path / "here"
    target.write_text("mine")
    with pytest.raises(FileExistsError):
        write_bundle(target, who().settings, look(), now=NOW)
    assert target.read_text() == "mine"


@pytest.mark.e2e
def test_no_text_of_a_request_is_in_the_archive(
    site: Site, who: Callable[..., Installation], look: Callable[..., Examination], tmp_path: Path
) -> None:
    service = site.start()
    bodies = [
        {"kind": "EntityRecognition", "analysisInput": {"documents": [{"id": "1", "text": SENTENCE}]}},
        {"kind": "Wrong Reuters", "analysisInput": {"documents": [{"id": "Reuters", "text": 5}]}},
    ]
    with service.client() as client:
        answers = [client.post("/language/:analyze-text", params=VERSION, json=body) for body in bodies]
    assert [answer.status_code for answer in answers] == [200, 400]
    target = tmp_path / "support.tar.gz"
    write_bundle(target, who().settings, look(), now=NOW)
    for content in contents(target).values():
        assert "Reuters" not in content
        assert "Merkel" not in content
