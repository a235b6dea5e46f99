import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.errors import OutputError
from appliance.observability import logging as logs
from appliance.request_ids import request_id

SECRET = "Ms Doe has the flu"


@pytest.fixture(autouse=True)
def root_logger() -> Iterator[logging.Logger]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield root
    for handler in root.handlers:
        if handler not in before:
            handler.close()
    root.handlers[:] = before
    root.setLevel(level)


def disk(directory: Path) -> list[dict[str, str]]:
    lines = (directory / "logs" / "customner.json").read_text().splitlines()
    return [json.loads(line) for line in lines]


def fail() -> None:
    try:
        raise ValueError(SECRET)
    except ValueError as error:
        raise RuntimeError(f"cannot read {SECRET}") from error


@pytest.mark.parametrize("level", ["trace", "information", "warning", "error", "critical", "none"])
def test_nothing_below_its_level_is_logged(level: str, capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(level, "")
    for name in ("debug", "info", "warning", "error", "critical"):
        getattr(logging.getLogger("appliance"), name)("%s", name)
    said = capsys.readouterr().err
    shown = [name for name in ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL") if f" {name} " in said]
    expected = {"trace": 5, "information": 4, "warning": 3, "error": 2, "critical": 1, "none": 0}
    assert len(shown) == expected[level]


def test_a_json_line_has_its_fields_and_the_request_it_belongs_to(
    tmp_path: Path, root_logger: logging.Logger
) -> None:
    root_logger.setLevel(logging.INFO)
    logs.add_disk(tmp_path, max_file_mib=1)
    token = request_id.set("0193-id")
    logging.getLogger("appliance.x").warning("%s is refused", "café\nsecond line")
    request_id.reset(token)
    logging.getLogger("appliance.x").info("idle")
    first, second = disk(tmp_path)
    assert first.pop("timestamp").endswith("Z")
    assert first == {
        "level": "Warning",
        "category": "appliance.x",
        "message": "café\nsecond line is refused",
        "event": "%s is refused",
        "requestId": "0193-id",
    }
    assert "requestId" not in second


@pytest.mark.parametrize("form", ["simple", "json"])
def test_what_an_exception_said_is_not_logged_only_where_it_happened(
    form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure("information", "", console_format=form)
    logs.add_disk(tmp_path, max_file_mib=1)
    try:
        fail()
    except RuntimeError:
        logging.getLogger("appliance").exception("a batch failed")
    said = capsys.readouterr().err + json.dumps(disk(tmp_path))
    assert SECRET not in said
    assert "RuntimeError" in said
    assert "ValueError" in said
    assert "in fail" in said


def test_a_file_that_is_full_is_set_aside_and_ten_are_kept(tmp_path: Path) -> None:
    logs.configure("information", "none")
    logs.add_disk(tmp_path, max_file_mib=1)
    for _ in range(25):
        for _ in range(9):
            logging.getLogger("appliance").info("%s", "x" * 60_000)
    files = sorted((tmp_path / "logs").iterdir())
    assert len(files) == 10
    assert all(file.stat().st_size <= 1 << 20 for file in files)
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}


def test_without_a_limit_there_is_one_file(tmp_path: Path) -> None:
    logs.configure("information", "none")
    logs.add_disk(tmp_path, max_file_mib=-1)
    for _ in range(20):
        logging.getLogger("appliance").info("%s", "x" * 60_000)
    assert len(list((tmp_path / "logs").iterdir())) == 1


def test_a_directory_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("in the way")
    with pytest.raises(OutputError, match="cannot be written"):
        logs.add_disk(tmp_path, max_file_mib=1)
