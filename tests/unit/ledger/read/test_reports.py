import asyncio
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from appliance.cli.usage import usage
from appliance.ledger.ledger import UsageRecord
from appliance.ledger.read.reports import usage_logs
from tests.support.ledger import DAY, Machine, Vendor


def use_some(machine: Machine, *, quantity: int, days_later: int = 0, meter: str = "B.Meter") -> None:
    """Open, record, close, at a later day."""
    machine.pass_time(days_later * DAY)
    ledger = machine.open()
    asyncio.run(
        ledger.commit([UsageRecord(meter=meter, quantity=quantity, billed=2 * quantity, request_id="r")])
    )
    ledger.close()


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory, vendor: Vendor) -> Path:
    """Two installations on one mount: September, then October of the first. Only read."""
    home = tmp_path_factory.mktemp("homes")
    one, two = Machine(home / "one", vendor), Machine(home / "two", vendor)
    for name, machine in (("aaa", one), ("bbb", two)):
        machine.output = home / "mount"
        machine.directory = machine.output / "customner" / name
        machine.output.mkdir(exist_ok=True)
    use_some(one, quantity=5)
    use_some(one, quantity=7, days_later=1, meter="A.Meter")
    use_some(two, quantity=10)
    use_some(one, quantity=100, days_later=20)
    return one.output


def test_all_records_sum_every_ledger_under_the_mount(output: Path) -> None:
    assert usage_logs(output) == {
        "type": "CommerceUsageResponse",
        "apiType": "customner",
        "serviceName": "customner",
        "meters": [
            {"name": "A.Meter", "quantity": 7, "billedUnit": 14},
            {"name": "B.Meter", "quantity": 115, "billedUnit": 230},
        ],
    }


def test_a_month_holds_its_own_usage_only(output: Path) -> None:
    assert [m["quantity"] for m in usage_logs(output, 9, 2026)["meters"]] == [7, 15]
    assert [m["quantity"] for m in usage_logs(output, 10, 2026)["meters"]] == [100]


def test_an_empty_month_has_no_meters(output: Path) -> None:
    assert usage_logs(output, 2, 1999)["meters"] == []


@pytest.mark.parametrize(("month", "year"), [(0, 2026), (13, 2026), (1, 1), (1, 10_000)])
def test_a_month_that_does_not_exist_is_refused(output: Path, month: int, year: int) -> None:
    with pytest.raises(ValueError, match="there is no month"):
        usage_logs(output, month, year)


def test_an_empty_mount_has_no_meters(tmp_path: Path) -> None:
    assert usage_logs(tmp_path)["meters"] == []


def test_a_live_ledger_is_read_while_it_is_open(machine: Machine) -> None:
    ledger = machine.open()
    asyncio.run(ledger.commit([UsageRecord(meter="M", quantity=3, billed=3, request_id="r")]))
    assert usage_logs(machine.output)["meters"] == [{"name": "M", "quantity": 3, "billedUnit": 3}]
    ledger.close()


def test_report_prints_a_table_with_totals(output: Path) -> None:
    result = CliRunner().invoke(usage, ["report", str(output)])
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert lines[0].split() == ["month", "meter", "requests", "quantity", "billed"]
    assert [line.split() for line in lines if line.startswith(("2026", "total"))] == [
        ["2026-09", "A.Meter", "1", "7", "14"],
        ["2026-09", "B.Meter", "2", "15", "30"],
        ["2026-10", "B.Meter", "1", "100", "200"],
        ["total", "A.Meter", "1", "7", "14"],
        ["total", "B.Meter", "3", "115", "230"],
    ]


@pytest.mark.parametrize("month", ["2026-10", "10/2026"])
def test_report_of_a_month_as_json_is_that_of_the_endpoint(output: Path, month: str) -> None:
    result = CliRunner().invoke(usage, ["report", str(output), "--month", month, "--json"])
    assert json.loads(result.output) == usage_logs(output, 10, 2026)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, vendor: Vendor) -> Path:
    """One mount for two services: both in September, speech alone in October. Only read."""
    home = tmp_path_factory.mktemp("shared")
    text, speech = Machine(home / "text", vendor), Machine(home / "speech", vendor, service="speechtotext")
    for machine in (text, speech):
        machine.directory = home / "mount" / machine.service / "instance"
        machine.directory.mkdir(parents=True)
    use_some(text, quantity=5, meter="Text")
    use_some(speech, quantity=60, meter="Audio")
    use_some(speech, quantity=7, meter="Audio", days_later=20)
    return home / "mount"


def test_report_of_a_mount_with_two_services_has_a_table_for_each(shared: Path) -> None:
    lines = CliRunner().invoke(usage, ["report", str(shared)]).output.splitlines()
    assert [line.split() for line in lines if line.startswith(("c", "s", "2026", "total"))] == [
        ["customner"],
        ["2026-09", "Text", "1", "5", "10"],
        ["total", "Text", "1", "5", "10"],
        ["speechtotext"],
        ["2026-09", "Audio", "1", "60", "120"],
        ["2026-10", "Audio", "1", "7", "14"],
        ["total", "Audio", "2", "67", "134"],
    ]


def test_report_as_json_names_each_service_in_months_of_rest_too(shared: Path) -> None:
    result = CliRunner().invoke(usage, ["report", str(shared), "--month", "2026-10", "--json"])
    services = ("customner", "speechtotext")
    assert json.loads(result.output) == [usage_logs(shared, 10, 2026, service=name) for name in services]


def test_report_of_speech_alone_is_that_of_its_endpoint(tmp_path: Path, vendor: Vendor) -> None:
    speech = Machine(tmp_path, vendor, service="speechtotext")
    use_some(speech, quantity=60)
    result = CliRunner().invoke(usage, ["report", str(speech.output), "--json"])
    assert json.loads(result.output) == usage_logs(speech.output, service="speechtotext")


def test_report_refuses_what_is_no_month(output: Path) -> None:
    result = CliRunner().invoke(usage, ["report", str(output), "--month", "2026-13"])
    assert result.exit_code == 2
    assert "is not a month such as 2026-11" in result.output


def test_verify_exits_with_its_verdict(output: Path, machine: Machine) -> None:
    roots = ["--roots", str(machine.vendor.directory)]
    clean = CliRunner().invoke(usage, ["verify", str(output), *roots])
    assert clean.exit_code == 0
    assert clean.output.startswith("clean: 2 log(s)")
    assert "115 billed" not in clean.output
    machine.open().close()
    machine.sql("UPDATE entry SET text = replace(text, 'boot', 'boom') WHERE n = 1")
    broken = CliRunner().invoke(usage, ["verify", str(machine.output), *roots, "--json"])
    assert broken.exit_code == 2
    found = json.loads(broken.output)
    assert found["verdict"] == "broken"
    assert ("changed", 1) in [(finding["code"], finding["entry"]) for finding in found["findings"]]


@pytest.mark.parametrize("command", [[], ["report"], ["verify"]])
def test_every_command_has_help_that_ends_with_an_example(command: list[str]) -> None:
    result = CliRunner().invoke(usage, [*command, "--help"])
    assert result.exit_code == 0
    assert not command or "Example:  appliance usage" in result.output.strip().splitlines()[-1]
