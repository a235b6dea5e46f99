"""Every command of both programs against places that are missing, closed, full, read-only or no files: it
says in words what is wrong, with an exit status that is no verdict, and replaces nothing but regular files.

The command lines are made from the commands themselves: a new command, or a new option that names a path, is
tried without a line here. What it needs besides paths may have to be added to `WORDS`.
"""

import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

import click
import pytest

from appliance.cli.main import main as appliance
from license.authority.cli.main import main as license
from license.console.group import VerdictCommand
from license.console.outputs import OutputFile, OutputFolder
from tests.support.command_runs import Job, Ran, run_all
from tests.support.command_tree import leaves

pytestmark = pytest.mark.slow  # several hundred processes; tests/e2e/test_refusals.py has the closed mounts

PROGRAMS: Final = {"appliance": appliance, "license": license}

WORDS: Final = {
    "customer": "Acme Ltd",
    "home": "authority",
    "instance_vkey": "",
    "key": "instance.key",
    "line": "ner-en/3",
    "labelled": "labelled.conll",
    "machines": "2",
    "meters": "CognitiveServices.Ner.Container.TextRecords=5",
    "model": "demo/v1",
    "model_dir": "model",
    "name": "acme",
    "note": "delivery/issuer.note",
    "output": "machine/output",
    "path": "usage.zip",
    "bundle": "usage.zip",
    "release": "1.0.0",
    "roots": "authority/roots",
    "roots_dir": "authority/roots",
    "source": "model",
    "state": "machine/state",
    "task": "ner",
}
"""By the name of a parameter: something good, as far as a good one is at hand."""
PATHS_AS_TEXT: Final = {"roots", "files"}
"""Parameters that take paths without a type that says so."""
SETTINGS: Final = {
    "Mounts:License": "empty",
    "Mounts:Output": "machine/output",
    "Mounts:State": "machine/state",
    "Models:Path": "models",
    "Mounts:Model": "models",
}
ALWAYS: Final = {"--yes", "--no-passphrase", "--once"}
BAD_INPUTS: Final = ("bad/missing/x", "bad/closed", "bad/closed-folder", "bad/fifo", "bad/garbage.zip")
BAD_SETTINGS: Final = ("bad/closed-folder/x", "bad/fifo")
BAD_OUTPUTS: Final = ("bad/full", "bad/fifo", "bad/read-only/x", "bad/closed-folder/x", "/proc/x", "file/x")
VERDICTS: Final = {"doctor", "diagnose", "health"}
"""Commands whose 1 says what was found; they print it."""


COMMANDS: Final = [
    (program, path, command) for program, root in PROGRAMS.items() for path, command in leaves(root)
]


def takes_path(parameter: click.Parameter) -> bool:
    return (
        isinstance(parameter.type, (click.Path, OutputFile, OutputFolder)) or parameter.name in PATHS_AS_TEXT
    )


def is_output(parameter: click.Parameter) -> bool:
    return isinstance(parameter.type, (OutputFile, OutputFolder))


def good(parameter: click.Parameter) -> str:
    kind = parameter.type
    if is_output(parameter):
        return "out"
    if parameter.name in WORDS:
        return WORDS[parameter.name]
    if isinstance(kind, click.Choice):
        return str(kind.choices[0])
    if isinstance(kind, click.types.IntRange):
        return str(kind.min or 0)
    if isinstance(kind, click.Path):
        return "labelled.conll" if kind.file_okay else "empty"
    return "x"


def words_of(
    path: tuple[str, ...], command: click.Command, changed: click.Parameter | str, value: str
) -> list[str]:
    """Return a command line in which one parameter, or one setting, has another value."""
    words, last = list(path), []
    for parameter in command.params:
        wanted = parameter.required or parameter is changed or parameter.name in {"home", "roots", "state"}
        chosen = value if parameter is changed else good(parameter)
        if isinstance(parameter, click.Option):
            if parameter.opts[-1] in ALWAYS:
                words.append(parameter.opts[-1])
            elif wanted and not parameter.is_flag:
                words += [parameter.opts[-1], *[chosen] * parameter.nargs]
        elif isinstance(parameter.type, click.types.UnprocessedParamType):
            if parameter.name == "files":
                last.append(chosen if parameter is changed else "delivery")
            settings = SETTINGS | ({changed: value} if isinstance(changed, str) else {})
            last += ["Eula=accept", *(f"{key}={place}" for key, place in settings.items() if place)]
        elif wanted:
            last.append(chosen)
    return [*words, *last]


def jobs_of(program: str, path: tuple[str, ...], command: click.Command, place: Path) -> Iterator[Job]:
    def job(words: list[str], **denied: object) -> Job:
        return Job(program=program, words=words, place=str(place), **denied)  # type: ignore[arg-type]

    for parameter in command.params:
        if not takes_path(parameter):
            continue
        for bad in BAD_OUTPUTS if is_output(parameter) else BAD_INPUTS:
            words = words_of(path, command, parameter, bad)
            yield job(words, writes=is_output(parameter))
            if is_output(parameter) and os.geteuid() == 0 and bad in {"bad/full", "bad/fifo"}:
                yield job(words, writes=True, powers=True)
        if is_output(parameter) and command.name not in {"train", "quantize"}:
            yield job(words_of(path, command, parameter, "out"), writes=True, file_bytes=0)
    if any(isinstance(parameter.type, click.types.UnprocessedParamType) for parameter in command.params):
        for key in SETTINGS:
            yield from (job(words_of(path, command, key, bad)) for bad in BAD_SETTINGS)
    yield job([*path, "--help"], stdout="/dev/full")


@cache
def outcomes(place: Path) -> dict[tuple[str, ...], list[tuple[Job, Ran]]]:
    jobs = {
        (program, *path): list(jobs_of(program, path, command, place)) for program, path, command in COMMANDS
    }
    ran = iter(run_all([job for each in jobs.values() for job in each]))
    return {path: [(job, next(ran)) for job in each] for path, each in jobs.items()}


def complaint(job: Job, ran: Ran, command: click.Command) -> str | None:
    """Say what is wrong with the way in which a command failed, if anything is."""
    if ran.code < 0:
        return f"died of signal {-ran.code}"
    if "Traceback" in ran.err or "fault of this program" in ran.err or "Exception ignored" in ran.err:
        return "a traceback"
    verdict = isinstance(command, VerdictCommand) or command.name in VERDICTS
    if ran.code == 1 and verdict and "error:" in ran.err:
        return "an error with the exit status of findings"
    found = verdict and ran.code == 1 and ran.err.strip()  # such as that nobody answers
    if ran.code and not ran.out and "error:" not in ran.err and not found:
        return "an exit status without a word"
    return None


@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    ("program", "path", "command"),
    COMMANDS,
    ids=[" ".join((program, *path)) for program, path, _ in COMMANDS],
)
def test_a_place_that_cannot_be_used_is_an_error_in_words(
    program: str, path: tuple[str, ...], command: click.Command, place: Path
) -> None:
    faults = [
        f"{' '.join(job.words)} ({job.powers} {job.file_bytes} {job.stdout}): {wrong}, {ran.code}\n"
        f"{ran.err[-1500:]}"
        for job, ran in outcomes(place)[program, *path]
        if (wrong := complaint(job, ran, command))
    ]
    assert not faults, "\n".join(faults)


@pytest.mark.timeout(1200)
def test_nothing_but_a_regular_file_is_ever_replaced(place: Path) -> None:
    replaced = [
        f"{' '.join(job.words)}: {ran.out} {ran.err}"
        for each in outcomes(place).values()
        for job, ran in each
        if ran.code == 0 and job.writes and job.file_bytes is None
    ]
    assert not replaced
