"""The processes of the demo: an authority that sells licences, a download, and the service."""

import contextlib
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import uvicorn

from appliance.cli.demo.client import START_SECONDS, DemoFailed, get, wait_until
from license.authority.authority import Authority
from license.authority.http.app import make_app

_STOP_SECONDS: Final = 30
_SIGN_SECONDS: Final = 2


def open_authority(home: Path) -> Authority:
    """The vendor; made anew unless the home directory has one already."""
    return Authority.open(home) if (home / "roots").is_dir() else Authority.create(home)


@contextlib.contextmanager
def listening(authority: Authority) -> Iterator[str]:
    """The authority on a free loopback port, in a thread of this process."""
    config = uvicorn.Config(
        make_app(authority), host="127.0.0.1", port=0, log_config=None, access_log=False, lifespan="off"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, name="authority", daemon=True)
    thread.start()
    wait_until(lambda: server.started, "the authority did not start")
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(_STOP_SECONDS)


def download(command: list[str], home: Path) -> str:
    """Download the licence as an operator does; return what the command says of it."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=START_SECONDS, check=False)  # noqa: S603
    (home / "download.log").write_text(done.stderr, encoding="utf-8")
    if done.returncode != 0:
        raise DemoFailed("the licence could not be downloaded", hint=done.stderr.strip()[-500:])
    return done.stdout.split("\n\n")[0]


@contextlib.contextmanager
def serving(
    command: list[str], home: Path, progress: Callable[[str], None]
) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """The service as its own process, from ready until it has drained."""
    log = home / "service.log"
    with log.open("wb") as output:
        # Its own process group: Ctrl-C must reach the demo alone, which then stops the service in order.
        process = subprocess.Popen(  # noqa: S603
            command, stdout=output, stderr=subprocess.STDOUT, process_group=0
        )
    try:
        yield _wait_ready(process, log, progress), process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_ready(process: "subprocess.Popen[bytes]", log: Path, progress: Callable[[str], None]) -> str:
    deadline = time.monotonic() + START_SECONDS
    progress("   ")
    while time.monotonic() < deadline:
        for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
            _, found, url = line.partition(" ready: ")
            if found:
                progress("\n")
                return url.strip()
        if process.poll() is not None:
            progress("\n")
            reason = log.read_text(encoding="utf-8", errors="replace").strip()[-500:]
            raise DemoFailed("the service did not start", hint=reason)
        progress(".")
        time.sleep(0.1)
    raise DemoFailed("the service was not ready in time", hint=f"see {log}")


def sign(url: str, service: "subprocess.Popen[bytes]") -> None:
    """Ask for a checkpoint now instead of within the minute, so that the auditor finds nothing unsigned."""

    def signed() -> bool:
        ledger = get(f"{url}/status")["ledger"]
        return bool(ledger["signed"] == ledger["size"])

    service.send_signal(signal.SIGHUP)
    wait_until(signed, "the service signed no checkpoint", seconds=_SIGN_SECONDS)
