"""`appliance dataset suggest` on a real service: proposals as label files, counted like any other answers."""

import json
import subprocess
from pathlib import Path

import pytest

from appliance.datasets.formats.label_files import read_file
from tests.support.forked_process import run_forked_text
from tests.support.paths import ENGLISH
from tests.support.site import SENTENCE, Site, clean_environ


def suggest(*words: object) -> "subprocess.CompletedProcess[str]":
    given = ["dataset", "suggest", *map(str, words)]
    return run_forked_text("appliance", given, timeout=100, environ=clean_environ())


@pytest.mark.e2e
def test_proposals_come_from_the_service_in_any_format_and_are_counted(site: Site, tmp_path: Path) -> None:
    (tmp_path / "models" / "acme").mkdir(parents=True)
    (tmp_path / "models" / "acme" / "prod").symlink_to(ENGLISH)
    texts = tmp_path / "texts"
    texts.mkdir()
    (texts / "a.txt").write_text("🙂 " + SENTENCE)
    (texts / "b.jsonl").write_text("\n".join(json.dumps({"text": f"{SENTENCE} {n}"}) for n in range(22)))
    (texts / "empty.txt").write_text("")
    site.issue()
    service = site.start(f"Models:Path={tmp_path / 'models'}", "ApiKeys:me=0123456789abcdef")
    (tmp_path / "key").write_text("0123456789abcdef\n")
    words = (texts, "--model", "acme/prod", "--url", service.url)
    refused = suggest(*words, "--out", tmp_path / "none")
    assert refused.returncode == 1
    assert "the service refused acme/prod: 401" in refused.stderr
    assert not (tmp_path / "none").exists()
    for made in ("jsonl", "label-studio", "conll"):
        done = suggest(*words, "--out", tmp_path / made, "--to", made, "--key-file", tmp_path / "key")
        assert done.returncode == 0, done.stderr
        found = read_file(tmp_path / made)
        assert sum(len(one.labels) for one in found) == 3 * 23
    first = next(one for one in read_file(tmp_path / "jsonl") if one.text.startswith("🙂"))
    assert [first.text[label.start : label.end] for label in first.labels] == [
        "Angela Merkel",
        "Reuters",
        "Berlin",
    ]
    absent = suggest(
        texts,
        *("--model", "acme/other", "--url", service.url),
        *("--out", tmp_path / "x", "--key-file", tmp_path / "key"),
    )
    assert "the service refused acme/other: 404" in absent.stderr
    with service.client(headers={"Ocp-Apim-Subscription-Key": "0123456789abcdef"}) as client:
        (meter,) = client.get("/records/usage-logs/").json()["meters"]
    assert meter["quantity"] == 3 * 23, "each text with words in it, each time it was asked"
    assert service.stop() == 0


def test_without_a_service_nothing_is_answered_not_even_by_a_plain_model(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(SENTENCE)
    done = suggest(
        tmp_path / "a.txt",
        *("--model", "acme/prod", "--url", "http://127.0.0.1:1", "--out", tmp_path / "out"),
    )
    assert done.returncode == 1
    assert "does not answer" in done.stderr
    named = suggest(tmp_path / "a.txt", "--model", ENGLISH, "--out", tmp_path / "out")
    assert "names no model of a running service" in named.stderr
    assert not (tmp_path / "out").exists()
