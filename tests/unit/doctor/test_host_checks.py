import os
from pathlib import Path

import pytest

from appliance.doctor.facts import MemoryFact, PathFact, ProcessorFact, UnitFact, time_source
from appliance.doctor.finding import Level
from appliance.doctor.host_checks import (
    check_endpoint,
    check_memory,
    check_model,
    check_port,
    check_processor,
    check_secrets,
    check_unit,
)
from appliance.doctor.probe import PortFact
from appliance.errors import ModelError
from license.errors import CouldNotConnect

MIB = 1 << 20
READY = {"listening": True, "service": "customner", "ready": True}


@pytest.mark.parametrize(
    ("machine", "flags", "level"),
    [
        ("x86_64", {"avx2", "avx512_vnni"}, Level.PASS),
        ("x86_64", {"sse4_2"}, Level.WARN),
        ("x86_64", set(), Level.PASS),  # the kernel does not tell
        ("aarch64", {"asimd"}, Level.PASS),
        ("riscv64", set(), Level.FAIL),
    ],
)
def test_the_processor_is_judged_by_what_the_model_needs(machine: str, flags: set[str], level: Level) -> None:
    assert check_processor(ProcessorFact(machine=machine, cores=2, flags=frozenset(flags))).level is level


@pytest.mark.parametrize(
    ("limit", "available", "level"),
    [(8000, 4000, Level.PASS), (8000, 300, Level.WARN), (300, 300, Level.FAIL), (0, 0, Level.PASS)],
)
def test_memory_is_judged_by_the_size_of_the_model(limit: int, available: int, level: Level) -> None:
    fact = MemoryFact(limit=limit * MIB, available=available * MIB)
    assert check_memory(fact, 50 * MIB).level is level


def test_sessions_that_were_asked_for_need_memory_too() -> None:
    fact = MemoryFact(limit=512 * MIB, available=512 * MIB)
    assert check_memory(fact, 20 * MIB).level is Level.PASS
    assert check_memory(fact, 20 * MIB, sessions=2).level is Level.PASS
    found = check_memory(fact, 20 * MIB, sessions=16)
    assert found.level is Level.WARN
    assert found.command == "Engine:Sessions=4, or more memory"


def test_a_refused_model_says_why() -> None:
    found = check_model("demo/production", ModelError("model.onnx was changed", hint="copy it again"))
    assert (found.level, found.message, found.command) == (
        Level.FAIL,
        "demo/production: model.onnx was changed",
        "copy it again",
    )


@pytest.mark.parametrize(
    ("stands", "level"),
    [
        ({}, Level.WARN),
        (READY, Level.PASS),
        (READY | {"ready": False, "message": "loading"}, Level.FAIL),
        (READY | {"service": ""}, Level.FAIL),
    ],
)
def test_the_port_is_the_services_or_its_holder_can_be_found(stands: dict[str, object], level: Level) -> None:
    found = check_port(PortFact(address="127.0.0.1:5000", **stands), "customner")  # type: ignore[arg-type]
    assert found.level is level
    assert bool(found.command) == (level is not Level.PASS)


def test_a_service_that_does_not_answer_is_to_be_asked_where_it_listens() -> None:
    fact = PortFact(address="127.0.0.1:7101", listening=True, service="customner", ready=False)
    assert check_port(fact, "customner").command == "curl -s http://127.0.0.1:7101/status"


@pytest.mark.parametrize(
    ("said", "level"),
    [
        ({"LoadState": "loaded", "ActiveState": "active", "UnitFileState": "enabled"}, Level.PASS),
        ({"LoadState": "loaded", "ActiveState": "active", "UnitFileState": "disabled"}, Level.WARN),
        (
            {"LoadState": "loaded", "ActiveState": "active", "UnitFileState": "enabled", "NRestarts": "3"},
            Level.WARN,
        ),
        ({"LoadState": "loaded", "ActiveState": "failed", "Result": "exit-code"}, Level.FAIL),
        ({"LoadState": "not-found"}, Level.WARN),
    ],
)
def test_the_unit_is_installed_enabled_and_stays_up(said: dict[str, str], level: Level) -> None:
    assert check_unit(UnitFact(present=True, properties=said)).level is level


def test_without_systemd_there_is_no_unit_to_complain_about() -> None:
    assert check_unit(UnitFact(present=False, properties={})).level is Level.PASS


NO_FILE = PathFact(path=Path("/etc/appliance/download.env"), exists=False)


@pytest.mark.parametrize(
    ("download", "credential", "level"),
    [
        (NO_FILE, PathFact(path=Path("/c/key"), mode=0o600), Level.PASS),
        (NO_FILE, PathFact(path=Path("/c/key"), mode=0o640), Level.FAIL),
        (NO_FILE, PathFact(path=Path("/c/key"), mode=0o600, uid=1000), Level.FAIL),
        (PathFact(path=Path("/d"), mode=0o600), PathFact(path=Path("/c/key"), exists=False), Level.WARN),
        (PathFact(path=Path("/d"), mode=0o644), PathFact(path=Path("/c/key"), exists=False), Level.FAIL),
    ],
)
def test_secrets_are_roots_alone_and_the_download_key_is_not_left_behind(
    download: PathFact, credential: PathFact, level: Level
) -> None:
    assert check_secrets(download, [credential]).level is level


def test_an_endpoint_out_of_reach_is_a_failure_with_the_next_step() -> None:
    found = check_endpoint(
        "https://vendor", CouldNotConnect("nobody listens", hint="ask the network's people")
    )
    assert (found.level, found.command) == (Level.FAIL, "ask the network's people")


def test_a_time_service_and_a_container_are_known_by_what_they_leave_behind(tmp_path: Path) -> None:
    run = tmp_path / "run"
    touched = run / "systemd/timesync/synchronized"
    touched.parent.mkdir(parents=True)
    bare = time_source(kernel=False, now=1000, run=run)
    assert (bare.kernel, bare.age, bare.container) == (False, None, False)
    touched.touch()
    os.utime(touched, (900, 900))
    (run / "systemd/container").write_text("systemd-nspawn")
    kept = time_source(kernel=True, now=1000, run=run)
    assert (kept.kernel, kept.age, kept.container) == (True, 100, True)
    assert time_source(kernel=False, now=800, run=run).age is None, "from the future: the clock was set back"
