"""A hundred clients at once, some of which leave midway and some of which are hostile.

No 5xx but 503, no task left behind, memory flat, and a ledger that counts every answer exactly once. Two
seconds each time, sixty in the nightly run.
"""

import asyncio
import json
import random
import re
import socket
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest

from license.evidence.verify.verify import verify
from license.trust.roots import load_roots
from tests.support.site import NO_TLS, SENTENCE, VERSION, Service, Site

CLIENTS = 100
LEAVING = HOSTILE = 0.01
JOBS = "/language/analyze-text/jobs"
NAMES = {"projectName": "demo", "deploymentName": "production"}
POST = b"POST /language/:analyze-text?api-version=2023-04-01 HTTP/1.1\r\nHost: x\r\n"
GARBAGE = (
    b"\x00\xff" * 50,
    b"GET / HTTP/9.9\r\n\r\n",
    POST + b"Content-Length: 99999999\r\n\r\n{",
    POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n",
)


@dataclass
class Seen:
    """What the clients saw: statuses, text records of complete answers, answers they walked away from."""

    growth_mib: int = 0

    statuses: Counter[int] = field(default_factory=Counter)
    receipts: list[str] = field(default_factory=list)
    records: int = 0
    left: int = 0
    left_records: int = 0
    jobs: dict[str, int] = field(default_factory=dict)


def records(texts: list[str]) -> int:
    return sum(max(1, -(-len(text) // 1000)) for text in texts)


async def leave(url: str, body: bytes, chance: random.Random) -> None:
    """Send a request, whole or in part, and go."""
    host, _, port = url.removeprefix("http://").partition(":")
    _, writer = await asyncio.open_connection(host, int(port))
    head = (
        f"POST /language/:analyze-text?api-version=2023-04-01 HTTP/1.1\r\nHost: {host}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    data = head.encode() + body
    writer.write(data[: chance.choice((len(data), len(data) // 2, 40))])
    await writer.drain()
    await asyncio.sleep(chance.random() / 50)
    writer.transport.abort()


async def attack(url: str, chance: random.Random) -> None:
    host, _, port = url.removeprefix("http://").partition(":")
    _, writer = await asyncio.open_connection(host, int(port))
    writer.write(chance.choice(GARBAGE))
    try:
        await writer.drain()
        await asyncio.sleep(0.01)
    except ConnectionError:
        pass
    writer.transport.abort()


async def ask(client: httpx2.AsyncClient, texts: list[str], seen: Seen) -> None:
    documents = [{"id": str(n), "text": text} for n, text in enumerate(texts)]
    body = {"kind": "EntityRecognition", "analysisInput": {"documents": documents}}
    reply = await client.post("/language/:analyze-text", params=VERSION, json=body)
    seen.statuses[reply.status_code] += 1
    if reply.status_code == 200:
        assert len(reply.json()["results"]["documents"]) == len(texts)
        seen.receipts.append(reply.headers["Usage-Record"])
        seen.records += records(texts)


async def submit(client: httpx2.AsyncClient, texts: list[str], seen: Seen) -> None:
    documents = [{"id": str(n), "text": text} for n, text in enumerate(texts)]
    tasks = [{"kind": "CustomEntityRecognition", "parameters": NAMES}]
    body = {"analysisInput": {"documents": documents}, "tasks": tasks}
    reply = await client.post(JOBS, params=VERSION, json=body)
    seen.statuses[reply.status_code] += 1
    if reply.status_code == 202:
        seen.jobs[reply.headers["operation-location"]] = records(texts)


async def one_client(url: str, until: float, seen: Seen, chance: random.Random) -> None:
    async with httpx2.AsyncClient(base_url=url, timeout=60, trust_env=False, verify=NO_TLS) as client:
        while time.monotonic() < until:
            draw = chance.random()
            texts = [SENTENCE * chance.choice((1, 1, 1, 5, 40)) for _ in range(chance.randint(1, 3))]
            if draw < LEAVING:
                content = {"documents": [{"id": "1", "text": SENTENCE}]}
                body = {"kind": "EntityRecognition", "analysisInput": content}
                seen.left += 1
                seen.left_records += 1
                await leave(url, json.dumps(body).encode(), chance)
            elif draw < LEAVING + HOSTILE:
                await attack(url, chance)
            elif draw < 0.12:
                await submit(client, texts, seen)
            else:
                await ask(client, texts, seen)
            await asyncio.sleep(chance.random() / 20)


async def storm(url: str, seconds: float) -> Seen:
    seen = Seen()
    until = time.monotonic() + seconds
    chance = random.Random(7)  # noqa: S311 (a mix, not a secret)
    await asyncio.gather(
        *(one_client(url, until, seen, random.Random(chance.random())) for _ in range(CLIENTS))  # noqa: S311
    )
    return seen


async def jobs_end(url: str, seen: Seen) -> int:
    """Wait for every accepted job; return the text records of those that succeeded."""
    counted = 0
    async with httpx2.AsyncClient(base_url=url, timeout=60, trust_env=False, verify=NO_TLS) as client:
        for location, amount in seen.jobs.items():
            while True:
                state = (await client.get(location)).json()
                if state["status"] not in ("notStarted", "running"):
                    break
                await asyncio.sleep(0.05)
            assert state["status"] == "succeeded", state
            counted += amount
    return counted


def resident(service: Service) -> int:
    status = Path(f"/proc/{service.process.pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found
    return int(found[1]) // 1024


def threads_and_sockets(service: Service) -> tuple[int, int]:
    process = Path(f"/proc/{service.process.pid}")
    sockets = 0
    for entry in list((process / "fd").iterdir()):
        try:
            sockets += str(entry.readlink()).startswith("socket:")
        except OSError:
            continue
    return len(list((process / "task").iterdir())), sockets


def weather(site: Site, *, seconds: float, flat_mib: int) -> Seen:
    site.issue(meters={"CognitiveServices.Ner.Container.TextRecords": 10_000_000})
    service = site.start("Http:DrainSeconds=10")
    first = asyncio.run(storm(service.url, seconds / 3))  # pools, caches, first allocations
    asyncio.run(jobs_end(service.url, first))
    time.sleep(0.5)
    before, (threads, sockets) = resident(service), threads_and_sockets(service)
    warm = usage(service)
    seen = asyncio.run(storm(service.url, seconds))
    counted = asyncio.run(jobs_end(service.url, seen))
    time.sleep(0.5)
    after, (threads_after, sockets_after) = resident(service), threads_and_sockets(service)
    recorded = usage(service) - warm
    assert not [status for status in seen.statuses if status >= 500 and status != 503], seen.statuses
    assert not set(seen.statuses) - {200, 202, 429, 503}, seen.statuses
    assert seen.statuses[200] > CLIENTS / 20  # a busy machine answers fewer
    answered = seen.records + counted
    assert len(seen.receipts) == len(set(seen.receipts)), "each answer has a record of its own"
    assert answered <= recorded <= answered + seen.left_records + first.left_records, (
        "counted is what was answered"
    )
    seen.growth_mib = after - before
    assert seen.growth_mib < flat_mib, f"{before} MiB before, {after} MiB after"
    assert threads_after <= threads + 2
    assert sockets_after <= sockets + 3, "no connection is left open"
    assert "Traceback" not in service.text(), service.text()[-3000:]
    assert service.stop() == 0
    assert verify(site.output, load_roots(site.vendor.roots_dir)).exit_code == 0
    return seen


def usage(service: Service) -> int:
    with service.client() as client:
        meters = client.get("/records/usage-logs/").json()["meters"]
    return sum(meter["quantity"] for meter in meters)


@pytest.mark.slow
@pytest.mark.e2e
def test_a_hundred_clients_for_a_moment_leave_an_exact_ledger_and_nothing_behind(site: Site) -> None:
    weather(site, seconds=2, flat_mib=60)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_hundred_clients_for_a_minute_leave_an_exact_ledger_and_nothing_behind(site: Site) -> None:
    seen = weather(site, seconds=60, flat_mib=60)
    assert seen.left > 0


def test_a_body_that_never_comes_does_not_hold_up_others(site: Site) -> None:
    site.issue()
    service = site.start()
    host, _, port = service.url.removeprefix("http://").partition(":")
    stuck = []
    for _ in range(50):
        made = socket.create_connection((host, int(port)))
        made.sendall(POST + b"Content-Length: 10\r\n\r\n{")
        stuck.append(made)
    body = {
        "kind": "EntityRecognition",
        "analysisInput": {"documents": [{"id": "1", "text": SENTENCE}]},
    }
    with service.client() as client:
        assert client.post("/language/:analyze-text", params=VERSION, json=body).status_code == 200
    for one in stuck:
        one.close()
    assert service.stop() == 0
