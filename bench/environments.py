"""Environments of peers and plots, made once from pins and kept in `.bench/`; processes of peers."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError

from appliance.ner.session import DISABLED_OPTIMIZERS, LOGITS
from appliance.onnx_tools.outputs import with_outputs

HERE = Path(__file__).parent / "peers"
KEPT = Path(__file__).parents[1] / ".bench"
READY_SECONDS = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """One peer: its script and requirements are `peers/PROGRAM_peer.py` and `peers/PROGRAM.txt`.

    Attributes:
        path: Where it answers a POST.
        wrapped: Whether it wants the V2 inference protocol around the texts.
        tuned: Whether it is given the graph and the session options of the service.
    """

    name: str
    path: str = "/"
    wrapped: bool = False
    tuned: bool = False

    @property
    def program(self) -> str:
        """The name without what was given to it."""
        return self.name.removesuffix("-tuned")


PEERS = {
    peer.name: peer
    for peer in (
        Peer(name="starlette"),
        Peer(name="starlette-tuned", tuned=True),
        Peer(name="litserve", path="/predict"),
        Peer(name="mlserver", path="/v2/models/ner/infer", wrapped=True),
        Peer(name="ray"),
        Peer(name="transformers"),
    )
}


def environment(name: str, requirements: Path) -> Path:
    """Return the interpreter of an environment with those packages, made if it is not there.

    Raises:
        subprocess.CalledProcessError: Its packages cannot be had.
    """
    home = KEPT / name
    python = home / "bin" / "python"
    wanted = requirements.read_bytes()
    mark = home / "made-from.txt"
    if not mark.is_file() or mark.read_bytes() != wanted:
        subprocess.run([sys.executable, "-m", "venv", "--clear", home], check=True)
        quiet = ["--quiet", "--disable-pip-version-check", "--no-deps"]  # the list is whole
        subprocess.run([python, "-m", "pip", "install", *quiet, "-r", requirements], check=True)
        mark.write_bytes(wanted)
    return python


@contextlib.contextmanager
def running_peer(peer: Peer, model: Path) -> Iterator[int]:
    """Yield the port at which a peer serves a model.

    Raises:
        RuntimeError: It does not answer in time.
    """
    python = environment(peer.program, HERE / f"{peer.program}.txt")
    if peer.tuned:
        model = _as_it_is_served(model)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = KEPT / f"{peer.name}.log"
    environ = {
        **os.environ,
        "ORT_DISABLE_TELEMETRY": "1",
        "RAY_USAGE_STATS_ENABLED": "0",
        "HF_HUB_OFFLINE": "1",
        "PEER_WITHOUT": " ".join(DISABLED_OPTIMIZERS) if peer.tuned else "",
    }
    with log.open("wb") as output:
        process = subprocess.Popen(
            [python, HERE / f"{peer.program}_peer.py", model, str(port)],
            stdout=output,
            stderr=output,
            env=environ,
            start_new_session=True,
        )
        try:
            _wait(process, port, log)
            yield port
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(20)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _as_it_is_served(model: Path) -> Path:
    """Return a copy of a model's folder whose graph has no output but the one that the service reads."""
    copy = KEPT / "served" / model.name
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(model, copy)
    (copy / "model.onnx").write_bytes(with_outputs((model / "model.onnx").read_bytes(), {LOGITS}))
    return copy


def _wait(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    until = time.monotonic() + READY_SECONDS
    while time.monotonic() < until and process.poll() is None:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=1)
        except URLError as error:
            if not isinstance(error.reason, OSError):  # any HTTP status is an answer
                return
        except OSError:
            pass
        else:
            return
        time.sleep(0.2)
    raise RuntimeError(f"{log.name}: {log.read_text('utf-8', 'replace')[-2000:]}")
