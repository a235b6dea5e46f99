"""What the machine can do with a model at all: tokenise and `session.run` in a tight loop, no server.

Tried are one session with all cores, a session for each core in threads, and one in a process for each core;
one text a call or several of a length, sorted. The best of them is the ceiling that everything is held to.
"""

import contextlib
import functools
import itertools
import multiprocessing
import statistics
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from appliance.host.cpus import usable_cores
from appliance.ner.model_folder import MODEL, TOKENIZER, ModelFolder
from appliance.ner.session import OnnxSession
from bench.machine import alternate

BATCHES = (1, 2, 4, 8, 16, 32)
FINALISTS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrangement:
    """How the loop runs: `kind` is `threads` or `processes`, one session with one thread each."""

    kind: str
    lanes: int
    batch: int

    def __str__(self) -> str:
        return f"{self.lanes} {self.kind}, {self.batch} a call"


class Bare:
    """One lane's model: a tokenizer, a session, and texts already grouped by length."""

    def __init__(self, model: Path, texts: Sequence[str], batch: int) -> None:
        folder = ModelFolder.open(model)
        self._tokenizer = Tokenizer.from_str(folder.read(TOKENIZER).decode())
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(folder.window_tokens)
        self._session = OnnxSession(folder.read(MODEL), labels=len(folder.labels))
        ordered = sorted(texts, key=len)
        self._groups = [ordered[n : n + batch] for n in range(0, len(ordered), batch)]

    def call(self, group: Sequence[str]) -> None:
        """Tokenise one group and compute it."""
        encodings = self._tokenizer.encode_batch(list(group))
        shape = len(group), max(len(encoding.ids) for encoding in encodings)
        ids, mask = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
        for row, encoding in enumerate(encodings):
            ids[row, : len(encoding.ids)] = encoding.ids
            mask[row, : len(encoding.ids)] = 1
        self._session.run(ids, mask, None)

    def run(self, seconds: float, offset: int = 0) -> int:
        """Compute for that long; return the texts done."""
        until = time.perf_counter() + seconds
        done = 0
        for group in itertools.cycle(self._groups[offset:] + self._groups[:offset]):
            self.call(group)
            done += len(group)
            if time.perf_counter() >= until:
                return done
        return done


class Ceiling:
    """The loop in one arrangement, its lanes ready; a context manager.

    Args:
        model: Model folder.
        texts: What is computed.
        arrangement: How.
    """

    def __init__(self, model: Path, texts: Sequence[str], arrangement: Arrangement) -> None:
        self._lanes = arrangement.lanes
        self._pipes: list[Connection] = []
        self._processes: list[multiprocessing.process.BaseProcess] = []
        self._bare: Bare | None = None
        if arrangement.kind == "threads":
            self._bare = Bare(model, texts, arrangement.batch)
            return
        context = multiprocessing.get_context("spawn")
        for lane in range(self._lanes):
            ours, theirs = context.Pipe()
            process = context.Process(
                target=_lane, args=(theirs, model, list(texts), arrangement.batch, lane)
            )
            process.start()
            self._pipes.append(ours)
            self._processes.append(process)
        for pipe in self._pipes:
            pipe.recv()

    def __enter__(self) -> "Ceiling":
        return self

    def __exit__(self, *_: object) -> None:
        for pipe in self._pipes:
            pipe.send(0.0)
        for process in self._processes:
            process.join()

    def per_second(self, seconds: float) -> float:
        """Return texts per second over a turn of that length."""
        began = time.perf_counter()
        done = self._in_threads(seconds) if self._bare is not None else self._in_processes(seconds)
        return done / (time.perf_counter() - began)

    def _in_threads(self, seconds: float) -> int:
        done: list[int] = []
        bare = self._bare

        def lane(number: int) -> None:
            if bare is not None:
                done.append(bare.run(seconds, offset=7 * number))

        threads = [threading.Thread(target=lane, args=(number,)) for number in range(self._lanes)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sum(done)

    def _in_processes(self, seconds: float) -> int:
        for pipe in self._pipes:
            pipe.send(seconds)
        return sum(pipe.recv() for pipe in self._pipes)


def _lane(pipe: Connection, model: Path, texts: Sequence[str], batch: int, number: int) -> None:
    bare = Bare(model, texts, batch)
    bare.run(0.1)
    pipe.send("ready")
    while seconds := pipe.recv():
        pipe.send(bare.run(seconds, offset=7 * number))


def best(model: Path, texts: Sequence[str], *, seconds: float = 1.0) -> tuple[Arrangement, dict[str, float]]:
    """Try every arrangement, then the best few again in turn, and return the winner with the speed of each.

    A short look tells apart what differs much; among what is close, a machine's mood would choose.
    """
    cores = usable_cores()
    tried = [
        Arrangement(kind=kind, lanes=cores, batch=batch)
        for kind in ("threads", "processes")
        for batch in BATCHES
    ]
    found: dict[Arrangement, float] = {}
    for arrangement in tried:
        with Ceiling(model, texts, arrangement) as ceiling:
            ceiling.per_second(seconds / 4)
            found[arrangement] = ceiling.per_second(seconds)
    leading = sorted(found, key=lambda arrangement: -found[arrangement])[:FINALISTS]
    with contextlib.ExitStack() as stack:
        sides = {
            arrangement: functools.partial(
                stack.enter_context(Ceiling(model, texts, arrangement)).per_second, seconds
            )
            for arrangement in leading
        }
        again = alternate(sides, 5, each=lambda *_: None)
    found |= {arrangement: statistics.median(speeds) for arrangement, speeds in again.items()}
    top = max(leading, key=lambda arrangement: found[arrangement])
    return top, {str(arrangement): round(speed, 1) for arrangement, speed in found.items()}
