"""What the engine adds to the bare model: its texts per second as a share of a loop that only computes.

    python -m bench.engine [--model DIR] [--texts FILE] [--json]

The loop runs one thread per session, each with nothing but `encode_batch` of one text and `session.run`: no
words, no case classes, no decoding, no queue, no answers. The engine is asked by concurrent callers on one
event loop. Both run on the same tokenizer and session, in short turns A B A B, and the ratio is the median
over the pairs. On a machine that does other work at the same time, the CPU seconds per text are the steadier
of the two measures.
"""

import argparse
import asyncio
import itertools
import json
import os
import platform
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import onnxruntime
import uvloop
from tokenizers import Tokenizer

from appliance.host.cpus import usable_cores
from appliance.ner.calibration import USUAL_BATCH_TOKENS
from appliance.ner.engine import NerEngine
from appliance.ner.model_folder import MODEL, TOKENIZER, ModelFolder
from appliance.ner.session import OnnxSession
from appliance.ner.text_request import TextRequest

BUNDLED = Path(__file__).parents[1] / "appliance" / "bundled" / "ner-en"
SAMPLE = Path(__file__).parent / "sample.txt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One measured turn; both figures are per second of wall clock or per text."""

    texts_per_second: float
    cpu_milliseconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Ratio first, absolute second."""

    share_of_bare: float
    share_of_bare_cpu: float
    bare: list[Turn]
    engine: list[Turn]
    one_caller_added_ms: float
    one_caller_bare_ms: float
    sessions: int
    batch_tokens: int
    callers: int
    model: str
    machine: str


def timed(work: Callable[[int], object], count: int) -> Turn:
    cpu, wall = time.process_time(), time.perf_counter()
    work(count)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return Turn(texts_per_second=count / wall, cpu_milliseconds=1000 * cpu / count)


class Bare:
    """The ceiling: tokenise and compute, nothing else."""

    def __init__(self, folder: ModelFolder, texts: Sequence[str], threads: int) -> None:
        self._tokenizer = Tokenizer.from_str(folder.read(TOKENIZER).decode())
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(folder.window_tokens)
        self._session = OnnxSession(folder.read(MODEL), labels=len(folder.labels))
        self._texts = texts
        self._threads = threads

    def one(self, text: str) -> None:
        (encoding,) = self._tokenizer.encode_batch([text])
        ids = np.array([encoding.ids], dtype=np.int64)
        self._session.run(ids, np.ones_like(ids), None)

    def run(self, count: int) -> None:
        work = iter(itertools.islice(itertools.cycle(self._texts), count))
        lock = threading.Lock()

        def loop() -> None:
            while True:
                with lock:
                    text = next(work, None)
                if text is None:
                    return
                self.one(text)

        threads = [threading.Thread(target=loop) for _ in range(self._threads)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def ask(
    engine: NerEngine, texts: Sequence[str], callers: int, loop: asyncio.AbstractEventLoop, count: int
) -> None:
    work = iter(itertools.islice(itertools.cycle(texts), count))

    async def caller() -> None:
        for text in work:
            await engine.recognize([TextRequest(text)])

    async def all_callers() -> None:
        await asyncio.gather(*(caller() for _ in range(callers)))

    loop.run_until_complete(all_callers())


def latencies(work: Callable[[str], object], texts: Sequence[str]) -> list[float]:
    found = []
    for text in texts:
        start = time.perf_counter()
        work(text)
        found.append(1000 * (time.perf_counter() - start))
    return found


def measure(
    model: Path,
    texts: Sequence[str],
    *,
    callers: int,
    sessions: int,
    batch_tokens: int,
    turns: int,
    seconds: float,
) -> Report:
    folder = ModelFolder.open(model)
    bare = Bare(folder, texts, sessions)
    engine = NerEngine.load(folder, sessions=sessions, batch_tokens=batch_tokens)
    loop = uvloop.new_event_loop()
    bare.run(50)
    ask(engine, texts, callers, loop, 50)
    count = max(callers, int(timed(bare.run, 100).texts_per_second * seconds))
    results: dict[str, list[Turn]] = {"bare": [], "engine": []}
    alone: dict[str, list[float]] = {"bare": [], "engine": []}
    for _ in range(turns):
        results["bare"].append(timed(bare.run, count))
        results["engine"].append(timed(lambda n: ask(engine, texts, callers, loop, n), count))
        alone["bare"] += latencies(bare.one, texts)
        alone["engine"] += latencies(
            lambda text: loop.run_until_complete(engine.recognize([TextRequest(text)])), texts
        )
    engine.close()
    loop.close()
    added = statistics.median(a - b for a, b in zip(alone["engine"], alone["bare"], strict=True))
    pairs = list(zip(results["bare"], results["engine"], strict=True))
    return Report(
        share_of_bare=round(statistics.median(b.texts_per_second / a.texts_per_second for a, b in pairs), 3),
        share_of_bare_cpu=round(
            statistics.median(a.cpu_milliseconds / b.cpu_milliseconds for a, b in pairs), 3
        ),
        bare=results["bare"],
        engine=results["engine"],
        one_caller_added_ms=round(added, 3),
        one_caller_bare_ms=round(statistics.median(alone["bare"]), 3),
        sessions=sessions,
        batch_tokens=batch_tokens if folder.batch_invariant else 0,
        callers=callers,
        model=folder.name,
        machine=f"{platform.machine()}, {os.cpu_count()} cores, onnxruntime {onnxruntime.__version__}",
    )


def spread(turns: Sequence[Turn]) -> str:
    speeds = [turn.texts_per_second for turn in turns]
    cpu = statistics.median(turn.cpu_milliseconds for turn in turns)
    return (
        f"{statistics.median(speeds):8.1f} texts/s   ({min(speeds):.1f} to {max(speeds):.1f})"
        f"   {cpu:.2f} ms CPU per text"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, default=BUNDLED, help="model folder")
    parser.add_argument("--texts", type=Path, default=SAMPLE, help="one text a line")
    parser.add_argument("--callers", type=int, default=64)
    parser.add_argument("--batch-tokens", type=int, default=USUAL_BATCH_TOKENS)
    parser.add_argument("--sessions", type=int, default=0, help="0: one per core")
    parser.add_argument("--turns", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=0.5, help="of each turn")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    texts = [line for line in options.texts.read_text("utf-8").splitlines() if line.strip()]
    report = measure(
        options.model,
        texts,
        callers=options.callers,
        sessions=options.sessions or usable_cores(),
        batch_tokens=options.batch_tokens,
        turns=options.turns,
        seconds=options.seconds,
    )
    if options.json:
        print(json.dumps(asdict(report), indent=2))
        return
    print(
        f"engine / bare   {report.share_of_bare:.3f} by the clock, {report.share_of_bare_cpu:.3f} by CPU time"
    )
    print(f"bare            {spread(report.bare)}")
    print(f"engine          {spread(report.engine)}")
    print(
        f"one caller      {report.one_caller_added_ms:+.3f} ms over {report.one_caller_bare_ms:.3f} ms (p50)"
    )
    print(f"{report.model}: {report.sessions} sessions, batches of up to {report.batch_tokens} tokens,")
    print(f"{report.callers} callers, {report.machine}")


if __name__ == "__main__":
    main()
