"""Runs modules in processes forked from one that has imported the product. Started by forked_process.py.

Importing is most of the processor time of a short command and of a start of the service. Everything after the
import is the same: a process of its own, with its own arguments, environment, directory and standard streams.
"""

import contextlib
import ctypes
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import sys
from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy.orm import configure_mappers

from appliance.models.locations import GENERAL
from appliance.ner.tokenizer import open_tokenizer

MODULES: Final = (
    "appliance.cli.main",
    "appliance.cli.serve",
    "appliance.cli.usage",
    "appliance.cli.doctor",
    "appliance.cli.license.commands",
    "appliance.server.app",
    "appliance.server.server",
    "appliance.services.text",
    "appliance.ledger.ledger",
    "license.authority.cli.main",
    "license.authority.ingest",
)
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


def main(descriptor: str) -> None:
    for name in MODULES:
        importlib.import_module(name)
    configure_mappers()  # otherwise each child that opens a ledger would
    kept = open_tokenizer(TOKENIZER.read_bytes())
    # Each child would copy and free a million small pieces at its end, for half a second of a processor.
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(kept.library))
    gc.collect()
    gc.freeze()
    request = serve(socket.socket(fileno=int(descriptor)))
    runpy.run_module(request["module"], run_name="__main__", alter_sys=True)
    del kept  # until now a child found it open


if __name__ == "__main__":
    main(*sys.argv[1:])
