"""Metrics, rules, dashboard and their page agree: each name that one uses, the service has."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from appliance.observability.instruments import Instruments
from tests.support.paths import ROOT

DOCS = ROOT / "docs"
RULES = DOCS / "monitoring" / "alerts.yaml"
DASHBOARD = DOCS / "monitoring" / "dashboard.json"
NAME = re.compile(r"\b(?:appliance|process)_[a-z_0-9]+")
SUFFIXES = re.compile(r"_(bucket|sum|count)$")


def documented() -> set[str]:
    page = (DOCS / "monitoring.md").read_text()
    return set(re.findall(r"^\| `(appliance_\w+)`", page, re.MULTILINE))


def used(text: str) -> set[str]:
    return {SUFFIXES.sub("", name) for name in NAME.findall(text)}


def expressions() -> dict[str, list[str]]:
    panels: list[dict[str, Any]] = json.loads(DASHBOARD.read_text())["panels"]
    return {panel["title"]: [target["expr"] for target in panel["targets"]] for panel in panels}


def test_every_metric_of_rules_and_dashboard_is_documented() -> None:
    names = used(RULES.read_text()) | used(DASHBOARD.read_text())
    assert {name for name in names if name.startswith("appliance")} <= documented()
    assert {name for name in names if name.startswith("process")} <= {
        "process_start_time_seconds",
        "process_resident_memory_bytes",
    }


def test_the_instruments_are_documented() -> None:
    names = {
        metric.name + ("_total" if metric.type == "counter" else "")
        for metric in Instruments().registry.collect()
        if metric.name.startswith("appliance")
    }
    assert names <= documented()


def test_each_alert_names_a_runbook_that_exists() -> None:
    pages = re.findall(r"docs/runbooks/[\w-]+\.md", RULES.read_text())
    assert pages
    assert all((DOCS.parent / page).exists() for page in pages)


def test_panels_do_not_overlap() -> None:
    places = [panel["gridPos"] for panel in json.loads(DASHBOARD.read_text())["panels"]]
    corners = {(place["x"], place["y"]) for place in places}
    assert len(corners) == len(places)
    assert all(place["x"] + place["w"] <= 24 for place in places)


@pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not installed (Debian: apt-get install prometheus)"
)
def test_promtool_accepts_the_rules() -> None:
    checked = subprocess.run(
        ["promtool", "check", "rules", str(RULES)], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not installed (Debian: apt-get install prometheus)"
)
def test_promtool_reads_each_expression_of_the_dashboard_as_a_rule(tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    found = [expression for panel in expressions().values() for expression in panel]
    rules = [{"record": f"r{n}", "expr": one.replace("$instance", ".*")} for n, one in enumerate(found)]
    file.write_text(json.dumps({"groups": [{"name": "x", "rules": rules}]}))  # JSON is YAML
    checked = subprocess.run(
        ["promtool", "check", "rules", str(file)], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
