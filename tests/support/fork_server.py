"""Runs modules in processes forked from one that has imported the product. Started by forked_process.py.

Importing is most of the processor time of a short command and of a start of the service. Everything after the
import is the same: a process of its own, with its own arguments, environment, directory and standard streams.
"""

import atexit
import contextlib
import ctypes
import gc
import importlib
import json
import os
import pkgutil
import runpy
import select
import signal
import socket
import sys
import threading
from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy.orm import configure_mappers

import appliance
import license
from appliance.models.locations import GENERAL
from appliance.ner.tokenizer import open_tokenizer

TORCH: Final = ("appliance.speech.training", "appliance.training.best")
"""What is imported by those who have torch, and by no test of a command."""
LIBRARIES: Final = (
    "cryptography.hazmat.backends.openssl.backend",
    "encodings.ascii",
    "uvicorn.lifespan.off",
    "uvicorn.loops.auto",
    "uvicorn.loops.uvloop",
)
"""What others than the two packages import at work."""
TOKENIZER: Final = GENERAL["multi"] / "tokenizer.json"
"""Of the model that a service serves unasked; to open it takes most of a second of a processor."""
REQUEST_BYTES: Final = 1 << 20


def read_request(connection: socket.socket) -> tuple[dict[str, Any], list[int]]:
    data, descriptors, _, _ = socket.recv_fds(connection, REQUEST_BYTES, 4)
    return (json.loads(data) if data else {}), list(descriptors)


def become(request: dict[str, Any], streams: Iterable[int]) -> None:
    """Take on what the request says of a process that was just forked."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for target, descriptor in enumerate(streams):
        os.dup2(descriptor, target)
        os.close(descriptor)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = open(  # noqa: SIM115
        2, "w", buffering=1, closefd=False, errors="backslashreplace"
    )
    os.chdir(request["directory"])
    os.environ.clear()
    os.environ.update(request["environ"])
    sys.argv = request["arguments"]


def serve(connection: socket.socket) -> dict[str, Any]:
    """Fork for each request until the other end is closed; return only in the children, with the request."""
    woken, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    statuses: dict[int, int] = {}
    while True:
        ready, _, _ = select.select([connection.fileno(), woken], [], [])
        if woken in ready:
            os.read(woken, 4096)
            while ended := reap():
                descriptor = statuses.pop(ended[0])
                with contextlib.suppress(BrokenPipeError):
                    os.write(descriptor, str(ended[1]).encode())
                os.close(descriptor)
        if connection.fileno() in ready:
            request, descriptors = read_request(connection)
            if not request:
                sys.exit()
            child = os.fork()
            if not child:
                for descriptor in (woken, wake, descriptors[3], *statuses.values()):
                    os.close(descriptor)
                connection.close()
                become(request, descriptors[:3])
                return request
            for descriptor in descriptors[:3]:
                os.close(descriptor)
            statuses[child] = descriptors[3]
            connection.send(str(child).encode())


def reap() -> tuple[int, int] | None:
    """Return number and exit status of a child that has ended."""
    try:
        child, status = os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return None
    return (child, os.waitstatus_to_exitcode(status)) if child else None


def import_product() -> None:
    """Import every module of both packages, also those that a command imports only when it needs them.

    Except onnxruntime, which starts a thread as it is imported.
    """
    for name in LIBRARIES:
        importlib.import_module(name)
    for package in (appliance, license):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith(".__main__") and not module.name.startswith(TORCH):
                importlib.import_module(module.name)


def end(code: object) -> None:
    """End a child as the interpreter would, but do not free what was imported, object by object.

    That would copy most of the memory of the process that forked it. Threads are joined, what is registered
    for the end is called, also by libraries, and what was printed is written.
    """
    if not isinstance(code, int | None):
        sys.exit(code)  # type: ignore[arg-type]  # a message: the interpreter prints it
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        sys.exit(code)  # which the interpreter meets again, and says
    ctypes.PyDLL(None).exit(code or 0)  # threads that are left run no more Python


def main(descriptor: str) -> None:
    import_product()
    configure_mappers()  # otherwise each child that opens a job store would
    kept = open_tokenizer(TOKENIZER.read_bytes())
    # Each child would copy and free a million small pieces at its end, for half a second of a processor.
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(kept.library))
    gc.collect()
    gc.freeze()
    request = serve(socket.socket(fileno=int(descriptor)))
    code: object = None
    try:
        runpy.run_module(request["module"], run_name="__main__", alter_sys=True)
    except SystemExit as asked:
        code = asked.code
    del kept  # until now a child found it open
    end(code)


if __name__ == "__main__":
    main(*sys.argv[1:])
