"""A job of one document by the official client: from submission to result, beside the bare model.

    python -m bench jobs [--json]

One client, one document at a time, polling as the client does on its own. The bare side is tokenise +
session.run of the same texts in the same minute; what is left is HTTP, the job, its record and the client
itself (a job is at least two requests).
"""

import argparse
import json
import statistics
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from azure.ai.textanalytics import TextAnalyticsClient
from azure.core.credentials import AzureKeyCredential

from bench.ceiling import Bare
from bench.machine import describe
from bench.ner import BUNDLED
from bench.service import running_service
from bench.texts import SAMPLE, read_texts


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Milliseconds, p50 unless named otherwise."""

    added_p50_ms: float
    added_p95_ms: float
    job_p50_ms: float
    synchronous_p50_ms: float
    bare_p50_ms: float
    jobs: int
    machine: str


def measure(texts: list[str], *, jobs: int) -> Report:
    """Ask for one text after the other: bare, synchronously, and as a job."""
    bare = Bare(BUNDLED, texts, 1)
    took: dict[str, list[float]] = {"bare": [], "now": [], "job": []}

    def timed(name: str, began: float) -> None:
        took[name].append(1000 * (time.perf_counter() - began))

    with running_service() as service:
        client = TextAnalyticsClient(service.url, AzureKeyCredential("unused"))
        for number in range(jobs + 5):
            text = texts[number % len(texts)]
            began = time.perf_counter()
            bare.call([text])
            timed("bare", began)
            began = time.perf_counter()
            client.recognize_entities([text])
            timed("now", began)
            began = time.perf_counter()
            list(client.begin_recognize_custom_entities([text], "demo", "production").result())
            timed("job", began)
        client.close()
    warm = {name: values[5:] for name, values in took.items()}
    added = [job - base for job, base in zip(warm["job"], warm["bare"], strict=True)]
    return Report(
        added_p50_ms=round(statistics.median(added), 2),
        added_p95_ms=round(statistics.quantiles(added, n=20)[18], 2),
        job_p50_ms=round(statistics.median(warm["job"]), 2),
        synchronous_p50_ms=round(statistics.median(warm["now"]), 2),
        bare_p50_ms=round(statistics.median(warm["bare"]), 2),
        jobs=jobs,
        machine=describe(),
    )


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench jobs", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--texts", type=Path, default=SAMPLE)
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(words)
    report = measure(read_texts(options.texts), jobs=options.jobs)
    if options.json:
        print(json.dumps(asdict(report), indent=2))
        return
    print(
        f"a job: {report.added_p50_ms:+.2f} ms over the bare model (p50), {report.added_p95_ms:+.2f} ms (p95)"
    )
    print(
        f"job {report.job_p50_ms} ms, synchronous {report.synchronous_p50_ms} ms by the same client,"
        f" bare {report.bare_p50_ms} ms; {report.jobs} jobs"
    )
    print(report.machine)
