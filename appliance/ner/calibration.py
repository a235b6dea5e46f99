"""Sessions and batch size for this machine: measured at a model's first start, kept for later ones.

What pays depends on processor and model: some compute several short windows together faster than one by one,
others do not, and two threads of one core may be worth one thread or more. Half a second of trying shapes
tells. Neighbours on a machine disturb so short a look by a few percent, so the usual choice stands unless
another is clearly better.
"""

import json
import logging
import os
import platform
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from appliance.ner.session import Session, TokenNumbers
from appliance.onnx_tools.runtime import runtime_version
from license.files import write_atomic

_log = logging.getLogger("appliance.inference.calibration")

USUAL_BATCH_TOKENS: Final = 128
"""Tokens in one call of the model; on AVX2 without VNNI, larger batches were slower."""

BATCH_TOKENS: Final = (64, USUAL_BATCH_TOKENS, 256, 512)
WINDOW_TOKENS: Final = 32  # of a short document, the common request
TURN_SECONDS: Final = 0.03
TURNS: Final = 5
CLEARLY: Final = 1.1
"""How much faster than the usual choice another one must be to be taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """How a model is asked: threads that compute, and the most tokens of a call (0: one window a call)."""

    sessions: int
    batch_tokens: int


def choose(speeds: Mapping[Calibration, Sequence[float]], usual: Calibration) -> Calibration:
    """Return the fastest, or the usual one where none is clearly faster.

    Args:
        speeds: Measured speeds of each, in turns that alternate; any unit.
        usual: What is taken in doubt; one of them.
    """
    middle = {one: float(np.median(found)) for one, found in speeds.items()}
    best = max(middle, key=lambda one: middle[one])
    return best if middle[best] > middle[usual] * CLEARLY else usual


def measure(session: Session, *, threads: Sequence[int], batches: bool, window_tokens: int) -> Calibration:
    """Try a model in several ways; about half a second for each number of threads.

    Args:
        session: The model.
        threads: Numbers of threads to try; the first is the usual one.
        batches: Whether windows may share a call.
        window_tokens: The most tokens of a window.

    Returns:
        The way to ask it.
    """
    sizes = BATCH_TOKENS if batches else (0,)
    usual = Calibration(sessions=threads[0], batch_tokens=USUAL_BATCH_TOKENS if batches else 0)
    ways = [Calibration(sessions=count, batch_tokens=size) for count in threads for size in sizes]
    if len(ways) == 1:
        return usual
    width = min(WINDOW_TOKENS, window_tokens)
    speeds: dict[Calibration, list[float]] = {way: [] for way in ways}
    for _ in range(TURNS):
        for way in ways:
            rows = max(1, way.batch_tokens // width)
            speeds[way].append(_turn(session, np.ones((rows, width), dtype=np.int64), way.sessions))
    return choose(speeds, usual)


def _turn(session: Session, ids: TokenNumbers, threads: int) -> float:
    """Return tokens a second of so many threads that each compute the same batch again and again."""
    done: list[int] = []
    began = time.perf_counter()

    def compute() -> None:
        count = 0
        while time.perf_counter() < began + TURN_SECONDS:
            session.run(ids, ids, None)
            count += 1
        done.append(count)

    others = [threading.Thread(target=compute) for _ in range(threads - 1)]
    for thread in others:
        thread.start()
    compute()
    for thread in others:
        thread.join()
    return sum(done) * ids.size / (time.perf_counter() - began)


class Calibrations:
    """What was measured on this machine, in one file; a damaged or foreign one is measured again.

    Args:
        path: The file; its directory exists.
        machine: Names what the figures hold for, asked once a model is open; another machine begins anew.
    """

    def __init__(self, path: Path, *, machine: Callable[[], str]) -> None:
        self._path = path
        self._machine = machine

    def knows(self, model: str) -> bool:
        """Whether the model of this digest was measured before."""
        return _calibration(self._read().get(model)) is not None

    def of(self, model: str, measured: Callable[[], Calibration]) -> Calibration:
        """Return the calibration of a model, measured now if it is not known.

        Args:
            model: Digest of the model's graph.
            measured: Measures it.
        """
        kept = self._read()
        found = _calibration(kept.get(model))
        if found is not None:
            return found
        found = measured()
        _log.info("calibrated: %d sessions, %d tokens a call", found.sessions, found.batch_tokens)
        kept[model] = asdict(found)
        try:
            write_atomic(self._path, json.dumps({"machine": self._machine(), "models": kept}).encode())
        except OSError as error:  # it is only measured again
            _log.warning("the calibration cannot be kept: %s", error.strerror)
        return found

    def _read(self) -> dict[str, Any]:
        try:
            content = json.loads(self._path.read_bytes())
            models = content["models"] if content["machine"] == self._machine() else {}
            return dict(models)
        except (OSError, ValueError, KeyError, TypeError):
            return {}


def _calibration(value: object) -> Calibration | None:
    match value:
        case {"sessions": int(sessions), "batch_tokens": int(tokens)} if sessions > 0 and tokens >= 0:
            return Calibration(sessions=sessions, batch_tokens=tokens)
    return None


def this_machine(cores: int) -> str:
    """Name what a calibration holds for: processor, cores granted, and version of onnxruntime."""
    return f"{processor()}; {cores} of {os.cpu_count()} cores; onnxruntime {runtime_version()}"


def processor() -> str:
    """Return the name of the processor, as the kernel has it."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
    except OSError:
        lines = []
    for line in lines:
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()
