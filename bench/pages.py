"""The pages in Chromium: first contentful paint, weight, and what the browser waits for before it paints.

    python -m bench pages [--turns 9] [--json]

The services are pinned to one core, the browser to the others (to the same one where there is no other). A
warm load has the browser's cache; a cold one does not; the first is the first of all since the service
started. The bare side is a page of one line from Python's own http.server on the same core, loaded in the
same turns: nobody can paint sooner.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from appliance.config.products import SPEECH_TO_TEXT
from bench.machine import describe, ratio
from license.authority.authority import Authority
from tests.support.browser import Page, driving, look
from tests.support.operators import KEYS
from tests.support.page_loads import Load, load_page
from tests.support.site import Site

LIMIT_MS = 300
BARE = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>bare</title></head><body><p>bare</p>'
)
TEXT_PAGES = ("/", "/label", "/admin", "/docs", "/docs/operator.md", "/docs/search?q=licence", "/swagger")
SPEECH_PAGES = ("/", "/listen", "/docs")


@dataclass(frozen=True, slots=True, kw_only=True)
class PageReport:
    """Ratio first; milliseconds to the first contentful paint, bytes as decoded.

    Attributes:
        over_bare: Median of a warm load over the bare page's of the same turn.
        first: The first load since the service started, with an empty cache.
        blocking: Files that the browser waits for before it paints.
    """

    over_bare: float
    warm: list[float]
    cold: list[float]
    first: float
    size: int
    blocking: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PagesReport:
    """Every page by what serves it and its path, and the bare page's warm loads."""

    pages: dict[str, PageReport]
    bare: list[float]
    machine: str


def cores() -> tuple[int, set[int]]:
    """Return the core of the services and those of the browser."""
    first, *others = sorted(os.sched_getaffinity(0))
    return first, set(others) or {first}


@contextmanager
def bare_server(home: Path, core: int) -> Iterator[str]:
    """Serve one line of HTML on a core; yield its address."""
    (home / "index.html").write_text(BARE, "utf-8")
    command = [
        "taskset",
        "-c",
        str(core),
        sys.executable,
        "-u",
        "-m",
        "http.server",
        "0",
        "--bind",
        "127.0.0.1",
    ]
    with subprocess.Popen(
        [*command, "--directory", str(home)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().partition("(")[2].partition(")")[0]
        finally:
            process.terminate()


async def _measure(page: Page, urls: dict[str, str], bare: str, turns: int, *, machine: str) -> PagesReport:
    await look(page, width=1280)
    await load_page(page, bare, cold=True)  # what the browser itself does once
    first = {name: (await load_page(page, url, cold=True)).paint_ms for name, url in urls.items()}
    warm: dict[str, list[Load]] = {name: [] for name in urls}
    cold: dict[str, list[Load]] = {name: [] for name in urls}
    plain = []
    for _ in range(turns):
        plain.append((await load_page(page, bare)).paint_ms)
        for name, url in urls.items():
            cold[name].append(await load_page(page, url, cold=True))
            warm[name].append(await load_page(page, url))
    return PagesReport(
        pages={
            name: PageReport(
                over_bare=ratio([one.paint_ms for one in warm[name]], plain),
                warm=[round(one.paint_ms, 1) for one in warm[name]],
                cold=[round(one.paint_ms, 1) for one in cold[name]],
                first=round(first[name], 1),
                size=cold[name][-1].size,
                blocking=len(cold[name][-1].blocking),
            )
            for name in urls
        },
        bare=[round(one, 1) for one in plain],
        machine=machine,
    )


def measure(turns: int) -> PagesReport:
    """Load every page in turn, and a bare one beside them."""
    found: list[PagesReport] = []
    core, others = cores()
    machine = describe()  # before it is pinned
    with tempfile.TemporaryDirectory() as scratch, Authority.create(Path(scratch) / "vendor") as vendor:
        text, speech = (Site(Path(scratch) / name, vendor) for name in ("text", "speech"))
        text.issue()
        speech.issue(product="speech", meters={SPEECH_TO_TEXT.meter: 1_000})
        pinned = ("taskset", "-c", str(core))
        (Path(scratch) / "bare").mkdir()
        before = os.sched_getaffinity(0)
        try:
            urls: dict[str, str] = {}
            for name, service, paths in (
                ("text", text.start(*KEYS, "Authoring:Enabled=true", prefix=pinned), TEXT_PAGES),
                ("speech", speech.start("Service=speechtotext", prefix=pinned), SPEECH_PAGES),
            ):
                urls |= {f"{name} {path}": f"{service.url}{path}" for path in paths}
            os.sched_setaffinity(0, others)  # the browser inherits it
            with (
                bare_server(Path(scratch) / "bare", core) as bare,
                driving(Path(scratch) / "profile") as drive,
            ):

                async def steps(page: Page) -> None:
                    found.append(await _measure(page, urls, bare, turns, machine=machine))

                drive(steps)
        finally:
            os.sched_setaffinity(0, before)
            text.close()
            speech.close()
    return found[0]


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench pages",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--turns", type=int, default=9)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(words)
    report = measure(options.turns)
    if options.json:
        print(json.dumps(asdict(report), indent=2))
        return
    print("page                        over bare   warm ms   cold ms   first ms       bytes   blocking")
    for name, one in report.pages.items():
        warm, cold = statistics.median(one.warm), statistics.median(one.cold)
        late = "" if max(warm, cold, one.first) < LIMIT_MS else f"   over {LIMIT_MS} ms"
        print(
            f"{name:<28}{one.over_bare:>9}{warm:>10.0f}{cold:>10.0f}{one.first:>11.0f}"
            f"{one.size:>12,}{one.blocking:>11}{late}"
        )
    print(f"bare page       {statistics.median(report.bare):.0f} ms")
    print(report.machine)
