from pathlib import Path

import pytest

from appliance.doctor.facts import Account, LedgerFact, LogFact, PathFact
from appliance.doctor.finding import Level
from appliance.doctor.storage_checks import (
    check_file_system,
    check_ledger,
    check_mount,
    check_notes,
    check_space,
)

SERVICE = Account(name="appliance", uid=990, gids=frozenset({990}))
OUTPUT = Path("/srv/output")


def output(**stands: object) -> PathFact:
    return PathFact(path=OUTPUT, **stands)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fact", "level", "command"),
    [
        (output(uid=990), Level.PASS, ""),
        (output(gid=990, mode=0o770), Level.PASS, ""),
        (output(mode=0o777), Level.PASS, ""),
        (output(), Level.FAIL, "sudo chown appliance: /srv/output"),
        (output(uid=990, mode=0o500), Level.FAIL, "sudo chown appliance: /srv/output"),
        (output(exists=False), Level.FAIL, "sudo install -d -m 0700 -o appliance /srv/output"),
        (output(exists=False, error="Permission denied"), Level.FAIL, "look as root: sudo appliance doctor"),
        (output(directory=False), Level.FAIL, "name the directory that holds it: Mounts:Output=DIRECTORY"),
        (None, Level.FAIL, "add Mounts:Output=DIRECTORY, or write it into /etc/appliance/appliance.env"),
    ],
)
def test_an_output_mount_is_the_services_own_or_the_command_that_makes_it_so_is_named(
    fact: PathFact | None, level: Level, command: str
) -> None:
    found = check_mount("Mounts:Output", fact, SERVICE, written=True, made=False)
    assert (found.level, found.command) == (level, command)


def test_a_licence_mount_need_only_be_readable() -> None:
    readable = PathFact(path=Path("/etc/appliance/license"), mode=0o755)
    assert check_mount("Mounts:License", readable, SERVICE, written=False, made=False).level is Level.PASS
    closed = PathFact(path=Path("/etc/appliance/license"), mode=0o700)
    found = check_mount("Mounts:License", closed, SERVICE, written=False, made=False)
    assert (found.level, found.command) == (Level.FAIL, "sudo chmod a+rx /etc/appliance/license")


def test_a_licence_that_only_root_can_read_is_told() -> None:
    note = Path("/etc/appliance/license/issuer.note")
    assert check_notes([], SERVICE).level is Level.PASS
    assert check_notes([PathFact(path=note, mode=0o644)], SERVICE).level is Level.PASS
    found = check_notes([PathFact(path=note, mode=0o600)], SERVICE)
    assert (found.level, found.command) == (Level.FAIL, "sudo chmod a+r /etc/appliance/license/*.note")


def test_what_systemd_makes_at_start_may_be_missing() -> None:
    found = check_mount("Mounts:Output", output(exists=False), SERVICE, written=True, made=True)
    assert found.level is Level.PASS


@pytest.mark.parametrize(
    ("kind", "level"),
    [("ext4", Level.PASS), ("nfs4", Level.FAIL), ("cifs", Level.FAIL), ("tmpfs", Level.WARN)],
)
def test_a_ledger_needs_a_lasting_disk_of_this_machine(kind: str, level: Level) -> None:
    assert check_file_system(output(file_system=kind)).level is level


@pytest.mark.parametrize(
    ("mib", "level"), [(4096, Level.PASS), (512, Level.PASS), (511, Level.WARN), (15, Level.FAIL)]
)
def test_little_room_is_announced_before_it_is_gone(mib: int, level: Level) -> None:
    assert check_space(output(free=mib << 20)).level is level


def log(**stands: object) -> LogFact:
    return LogFact(name="ledger-1.db", number=1, origin="o/1", **stands)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fact", "level"),
    [
        (LedgerFact(directory=OUTPUT), Level.PASS),
        (LedgerFact(directory=OUTPUT, logs=(log(size=7),), head_origin="o/1", head_size=7), Level.PASS),
        (LedgerFact(directory=OUTPUT, logs=(log(size=9),), head_origin="o/1", head_size=7), Level.PASS),
        (LedgerFact(directory=OUTPUT, logs=(log(size=6),), head_origin="o/1", head_size=7), Level.FAIL),
        (LedgerFact(directory=OUTPUT, logs=(log(error="file is not a database"),)), Level.FAIL),
        (LedgerFact(directory=OUTPUT, logs=(log(damaged=True), log(size=1))), Level.WARN),
        (LedgerFact(directory=OUTPUT, head_origin="o/1", head_size=7), Level.FAIL),
    ],
)
def test_a_ledger_that_was_rolled_back_lost_or_damaged_is_told(fact: LedgerFact, level: Level) -> None:
    assert check_ledger(fact).level is level
