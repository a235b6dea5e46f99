"""What a huge job costs those who only ask something short: p99 with it and without it, as a ratio.

    python -m bench.fairness [--seconds 20] [--documents 25] [--characters 125000] [--json]

A real service on a real socket, limits raised so that one job of 25 documents of 125,000 characters is taken.
Short synchronous requests come at a fixed pace, whether the last one was answered or not, before the job and
while it runs. The machine's other work hits both phases; what is left is the job.
"""

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx2

from license.authority.authority import Authority
from tests.support.site import SENTENCE, VERSION, Site

JOBS = "/language/analyze-text/jobs"
PACE_SECONDS = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """Latencies of short requests in milliseconds."""

    p50: float
    p99: float
    worst: float
    requests: int
    refused: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Ratio first, absolute second."""

    p99_with_job_over_without: float
    p50_with_job_over_without: float
    without: Phase
    with_job: Phase
    job_characters: int
    job_share_done_meanwhile: str


def phase(latencies: list[float], refused: int) -> Phase:
    cut = statistics.quantiles(latencies, n=100, method="inclusive")
    return Phase(
        p50=round(cut[49], 1),
        p99=round(cut[98], 1),
        worst=round(max(latencies), 1),
        requests=len(latencies),
        refused=refused,
    )


async def short_requests(client: httpx2.AsyncClient, seconds: float) -> Phase:
    body = {"kind": "EntityRecognition", "analysisInput": {"documents": [{"id": "1", "text": SENTENCE}]}}
    latencies: list[float] = []
    refused = 0

    async def ask() -> None:
        nonlocal refused
        began = time.perf_counter()
        reply = await client.post("/language/:analyze-text", params=VERSION, json=body)
        if reply.status_code == 200:
            latencies.append((time.perf_counter() - began) * 1000)
        else:
            refused += 1

    asked = []
    for number in range(int(seconds / PACE_SECONDS)):
        asked.append(asyncio.create_task(ask()))
        await asyncio.sleep(PACE_SECONDS if number else 0.5)
    await asyncio.gather(*asked)
    return phase(latencies, refused)


async def measure(url: str, *, seconds: float, documents: int, characters: int) -> Report:
    text = (SENTENCE + " ") * (characters // (len(SENTENCE) + 1) + 1)
    names = {"projectName": "demo", "deploymentName": "production"}
    job = {
        "analysisInput": {"documents": [{"id": str(n), "text": text[:characters]} for n in range(documents)]},
        "tasks": [{"kind": "CustomEntityRecognition", "parameters": names}],
    }
    async with httpx2.AsyncClient(base_url=url, timeout=120, trust_env=False) as client:
        await short_requests(client, 2)
        without = await short_requests(client, seconds)
        submitted = await client.post(JOBS, params=VERSION, json=job)
        submitted.raise_for_status()
        with_job = await short_requests(client, seconds)
        location = submitted.headers["operation-location"]
        state = (await client.get(location)).json()
        await client.post(location.replace("?", ":cancel?"))
    return Report(
        p99_with_job_over_without=round(with_job.p99 / without.p99, 2),
        p50_with_job_over_without=round(with_job.p50 / without.p50, 2),
        without=without,
        with_job=with_job,
        job_characters=documents * characters,
        job_share_done_meanwhile=state["status"],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--documents", type=int, default=25)
    parser.add_argument("--characters", type=int, default=125_000)
    parser.add_argument("--turns", type=int, help="Jobs:Turns of the service (default: its own)")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home, Authority.create(Path(home) / "vendor") as vendor:
        site = Site(Path(home) / "site", vendor)
        site.issue()
        words = ["Limits:CharactersPerJob=100000000", "Limits:BodyBytes=200000000"]
        service = site.start(*words, *([f"Jobs:Turns={options.turns}"] if options.turns else []))
        try:
            report = asyncio.run(
                measure(
                    service.url,
                    seconds=options.seconds,
                    documents=options.documents,
                    characters=options.characters,
                )
            )
        finally:
            site.close()
    if options.json:
        print(json.dumps(asdict(report), indent=2))
        return
    print(f"p99 with the job / without: {report.p99_with_job_over_without}")
    print(f"p50 with the job / without: {report.p50_with_job_over_without}")
    for name, found in (("without", report.without), ("with job", report.with_job)):
        print(
            f"{name:<9} p50 {found.p50} ms, p99 {found.p99} ms, worst {found.worst} ms, "
            f"{found.requests} answered, {found.refused} refused"
        )
    print(f"the job: {report.job_characters:,} characters, then {report.job_share_done_meanwhile}")


if __name__ == "__main__":
    main()
