"""Runs many command lines of both programs, each in a process forked from one that has imported both already.

python -m tests.support.command_runs < jobs.json > results.json
"""

import ctypes
import importlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.support.forked_process import run_forked_text
from tests.support.paths import ROOT

SECONDS = 30


@dataclass(frozen=True, kw_only=True)
class Job:
    """A command line, where it runs, and what it is denied.

    Attributes:
        program: `appliance` or `license`.
        words: Its command line.
        place: Directory that is copied; the command runs in the copy.
        writes: Whether the place that cannot be used is one that is written.
        powers: Whether root keeps the right to pass over owner and mode of files.
        stdout: File that standard output goes to; none: it is returned.
        file_bytes: Largest file that the process may write.
    """

    program: str
    words: list[str]
    place: str
    writes: bool = False
    powers: bool = False
    stdout: str = ""
    file_bytes: int | None = None


@dataclass(frozen=True, kw_only=True)
class Ran:
    """What became of a job; `code` is negative for a signal."""

    code: int
    out: str
    err: str


def run_all(jobs: Sequence[Job]) -> list[Ran]:
    half = len(jobs) // 2
    parts = [part for part in (jobs[:half], jobs[half:]) if part]
    with ThreadPoolExecutor(2) as pool:
        return [ran for done in pool.map(_run_part, parts) for ran in done]


def _run_part(jobs: Sequence[Job]) -> list[Ran]:
    given = json.dumps([asdict(job) for job in jobs]).encode()
    done = run_forked_text(
        "tests.support.command_runs", [], environ=os.environ, stdin=given, directory=ROOT, timeout=600
    )
    assert done.returncode == 0, done.stderr
    return [Ran(**result) for result in json.loads(done.stdout)]


def _run(job: Job, place: Path) -> Ran:
    # With its FIFOs, devices and owners.
    subprocess.run(["cp", "-a", f"{job.place}/.", str(place)], check=True)
    pipes = [os.pipe(), os.pipe()]
    pid = os.fork()
    if not pid:
        os._exit(_child(job, place, [writing for _, writing in pipes]))
    for _, writing in pipes:
        os.close(writing)
    with ThreadPoolExecutor(2) as pool:
        said = list(pool.map(_read_all, (reading for reading, _ in pipes)))
    _, status = os.waitpid(pid, 0)
    return Ran(code=os.waitstatus_to_exitcode(status), out=said[0], err=said[1])


def _read_all(descriptor: int) -> str:
    with os.fdopen(descriptor, "rb") as file:
        return file.read().decode("utf-8", "replace")


def _drop_powers() -> None:
    """Stay root, but without the capabilities of root: owners and modes count again."""
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    if ctypes.CDLL(None, use_errno=True).capset(header, (ctypes.c_uint32 * 6)()) != 0:
        raise OSError(ctypes.get_errno(), "capset")


def _child(job: Job, place: Path, pipes: list[int]) -> int:
    from appliance.cli.main import main as appliance
    from license.authority.cli.main import main as license

    os.setsid()
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(os.open(job.stdout, os.O_WRONLY) if job.stdout else pipes[0], 1)
    os.dup2(pipes[1], 2)
    os.closerange(3, 256)
    os.chdir(place)
    os.environ["HOME"] = str(place)
    os.environ.pop("XDG_STATE_HOME", None)
    if not job.powers:
        _drop_powers()
    if job.file_bytes is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (job.file_bytes, job.file_bytes))
    signal.alarm(SECONDS)
    try:
        return _status_of(appliance if job.program == "appliance" else license, job)
    finally:
        try:
            sys.stdout.flush()
        except OSError:
            sys.stderr.write("Exception ignored: standard output cannot be flushed\n")
        sys.stderr.flush()


def _status_of(main: object, job: Job) -> int:
    try:
        main(args=job.words, prog_name=job.program)  # type: ignore[operator]
    except SystemExit as end:
        return int(end.code or 0)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    for name in (
        "license.authority.authority",
        "license.authority.ingest",
        "appliance.licensing.installation",
    ):
        importlib.import_module(name)
    results = []
    for given in json.load(sys.stdin):
        folder = Path(tempfile.mkdtemp())
        folder.chmod(0o755)
        try:
            results.append(asdict(_run(Job(**given), folder)))
        finally:
            shutil.rmtree(folder)
    json.dump(results, sys.stdout)
