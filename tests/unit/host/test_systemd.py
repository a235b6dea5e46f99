import asyncio
import logging
import os
import socket
import sys
from pathlib import Path

import pytest

from appliance.errors import SettingsError
from appliance.host import systemd


def test_without_a_manager_nothing_is_said_or_taken() -> None:
    assert not systemd.notify("READY=1", environ={})
    assert systemd.watchdog_seconds(environ={}) is None
    assert systemd.listen_sockets(environ={}) == []
    assert systemd.credential("api-key", environ={}) is None
    assert not systemd.is_journal(sys.stderr, environ={})


@pytest.mark.parametrize("abstract", [False, True])
def test_a_message_arrives_whole_and_a_line_break_begins_no_assignment(
    tmp_path: Path, abstract: bool
) -> None:
    address = f"@{tmp_path}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind("\0" + address[1:] if abstract else address)
        assert systemd.notify("READY=1", "STATUS=a\nSTOPPING=1", environ={"NOTIFY_SOCKET": address})
        assert manager.recv(100) == b"READY=1\nSTATUS=a STOPPING=1"


def test_a_manager_out_of_reach_is_logged_and_harms_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert not systemd.notify("READY=1", environ={"NOTIFY_SOCKET": str(tmp_path / "gone")})
    assert "could not be told" in caplog.text


def test_the_interval_is_half_of_what_the_manager_allows() -> None:
    assert systemd.watchdog_seconds(environ={"WATCHDOG_USEC": "30000000"}) == 15
    assert systemd.watchdog_seconds(environ={"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "7"}, pid=7) == 15


def test_a_watchdog_meant_for_another_process_is_left_alone() -> None:
    assert systemd.watchdog_seconds(environ={"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "7"}, pid=8) is None


@pytest.mark.parametrize("value", ["soon", "-1", "", "1.5", "²"])
def test_a_number_that_is_none_is_refused_by_its_name(value: str) -> None:
    with pytest.raises(SettingsError, match="WATCHDOG_USEC"):
        systemd.watchdog_seconds(environ={"WATCHDOG_USEC": value})


def test_sockets_meant_for_another_process_are_left_alone() -> None:
    environ = {"LISTEN_PID": "7", "LISTEN_FDS": "1"}
    assert systemd.listen_sockets(environ=environ, pid=8) == []
    assert environ == {"LISTEN_PID": "7", "LISTEN_FDS": "1"}


def test_a_part_that_is_stuck_is_named_once_and_ends_the_signs_of_life(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    states = iter([None, "the usage ledger", "the usage ledger", None])

    async def run(environ: dict[str, str]) -> None:
        with pytest.raises(RuntimeError):  # the states are used up
            await systemd.keep_alive(0, lambda: next(states), environ=environ)

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        asyncio.run(run({"NOTIFY_SOCKET": str(tmp_path / "notify")}))
        said = [manager.recv(100).decode() for _ in range(3)]
    assert said == ["WATCHDOG=1", "STATUS=the usage ledger has stopped making progress", "WATCHDOG=1"]
    assert caplog.text.count("has stopped making progress") == 1


def test_a_credential_is_its_files_bytes_and_an_absent_one_is_none(tmp_path: Path) -> None:
    (tmp_path / "api-key").write_bytes(b"\x00secret\n")
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert systemd.credential("api-key", environ=environ) == b"\x00secret\n"
    assert systemd.credential("other", environ=environ) is None


@pytest.mark.parametrize("name", ["", ".", "..", "../etc/passwd", "a/b"])
def test_a_credential_cannot_be_named_by_a_path(tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingsError, match="not the name of a credential"):
        systemd.credential(name, environ={"CREDENTIALS_DIRECTORY": str(tmp_path)})


def test_a_credential_that_is_too_large_or_no_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(bytes(systemd.MAX_CREDENTIAL_BYTES + 1))
    (tmp_path / "folder").mkdir()
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    with pytest.raises(SettingsError, match="larger than"):
        systemd.credential("large", environ=environ)
    with pytest.raises(SettingsError, match="cannot be read"):
        systemd.credential("folder", environ=environ)


def test_credentials_of_the_settings_directory_are_settings(tmp_path: Path) -> None:
    (tmp_path / "setting_ApiKeys__billing").write_text("k3y\n")
    (tmp_path / "other").write_text("not a setting")
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert systemd.credential_settings(environ=environ) == {"ApiKeys__billing": "k3y"}
    (tmp_path / "setting_ApiKey").write_bytes(b"\xff")
    with pytest.raises(SettingsError, match="is not text"):
        systemd.credential_settings(environ=environ)
    assert systemd.credential_settings(environ={}) == {}


def test_the_journal_is_known_by_device_and_inode(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w") as stream:
        status = os.fstat(stream.fileno())
        assert systemd.is_journal(stream, environ={"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"})
        assert not systemd.is_journal(stream, environ={"JOURNAL_STREAM": f"{status.st_dev}:1"})


@pytest.mark.parametrize(
    ("level", "prefix"),
    [
        (logging.DEBUG, "<7>"),
        (logging.INFO, "<6>"),
        (logging.WARNING, "<4>"),
        (logging.ERROR, "<3>"),
        (60, "<2>"),
    ],
)
def test_a_level_becomes_its_priority_on_every_line(level: int, prefix: str) -> None:
    record = logging.LogRecord("x", level, "file", 1, "first %s\nsecond", ("line",), None)
    assert systemd.JournalFormatter().format(record) == f"{prefix}first line\n{prefix}second"


def test_each_line_of_a_traceback_has_the_priority() -> None:
    try:
        raise ValueError("bad")
    except ValueError:
        record = logging.LogRecord("x", logging.ERROR, "file", 1, "failed", None, sys.exc_info())
    lines = systemd.JournalFormatter().format(record).splitlines()
    assert len(lines) > 2
    assert all(line.startswith("<3>") for line in lines)
