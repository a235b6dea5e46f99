"""What a command raises becomes two lines and an exit status."""

import errno
import os
import sqlite3
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner, Result

from license.console.group import CommandGroup, VerdictCommand
from license.errors import Unreadable


class Verdict(VerdictCommand):
    def exit_status(self, error: Exception) -> int:
        return 77


def raising(error: BaseException, kind: type[click.Command] = click.Command) -> Result:
    @click.group(cls=CommandGroup)
    def main() -> None:
        """A program."""

    @main.command(cls=kind)
    @click.option("--number", type=int)
    def command(number: int | None) -> None:
        raise error

    return CliRunner().invoke(main, ["command"])


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (Unreadable("no such thing", hint="look again"), "error: no such thing\nhint: look again\n"),
        (
            PermissionError(errno.EACCES, "Permission denied", "/x"),
            "error: /x: Permission denied\nhint: check ",
        ),
        (OSError(errno.ENOSPC, "No space left on device"), "error: No space left on device\nhint: make room"),
        (
            sqlite3.OperationalError("disk I/O error"),
            "error: the database cannot be used: disk I/O error\nhint: ",
        ),
    ],
)
def test_an_error_of_the_family_the_system_or_a_database_is_two_lines(error: Exception, said: str) -> None:
    for kind, status in ((click.Command, 1), (Verdict, 77)):
        done = raising(error, kind)
        assert done.exit_code == status
        assert done.stderr.startswith(said)
        assert "Traceback" not in done.stderr


def test_a_fault_of_the_program_is_told_as_one_with_its_place() -> None:
    done = raising(ZeroDivisionError("x"), Verdict)
    assert done.exit_code == 70
    assert "Traceback" in done.stderr
    assert "error: a fault of this program (ZeroDivisionError)\n" in done.stderr


def test_ctrl_c_and_a_reader_that_went_away_have_exit_statuses_that_are_no_verdict() -> None:
    assert raising(KeyboardInterrupt(), Verdict).exit_code == 130
    assert raising(BrokenPipeError(errno.EPIPE, "Broken pipe"), Verdict).exit_code == 141


def test_wrong_usage_of_a_command_with_a_verdict_is_64() -> None:
    @click.group(cls=CommandGroup)
    def main() -> None:
        """A program."""

    @main.command(cls=Verdict)
    @click.option("--number", type=int)
    def command(number: int) -> None:
        """Do nothing."""

    assert CliRunner().invoke(main, ["command", "--number", "x"]).exit_code == 64


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full (Linux)")  # noqa: PTH110
def test_a_help_that_cannot_be_printed_is_no_traceback() -> None:
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = subprocess.run(
            [sys.executable, "-m", "license.authority.cli.main", "-h"],
            stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 2)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full (Linux)")  # noqa: PTH110
def test_a_full_standard_output_is_an_error_and_nothing_more() -> None:
    script = "from license.authority.cli.main import main; main(['completion', 'fish'])"
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = subprocess.run(
            [sys.executable, "-c", script], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 2)
    assert "No space left" in done.stderr
