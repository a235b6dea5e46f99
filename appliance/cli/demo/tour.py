"""The newcomer's minute: both sides of the air gap on one machine, with nothing faked.

A throw-away vendor is made in a temporary directory and serves licences over HTTP on loopback. Then two
separate processes do what an operator's commands do: one downloads the licence, one serves without network.
The demo is their client, and in the end the auditor.
"""

import contextlib
import errno
import json
import os
import shlex
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from appliance.cli.demo.client import DemoFailed, get
from appliance.cli.demo.processes import download, listening, open_authority, serving, sign
from appliance.cli.demo.showcase import SHOWCASES, Showcase
from appliance.config.products import CUSTOM_NER, Product
from license.authority.authority import Authority
from license.evidence.verify.result import Report
from license.evidence.verify.verify import verify
from license.trust.roots import load_roots


@dataclass(slots=True, kw_only=True)
class _Tour:
    """Prints the tour for people; stays silent where one JSON object was asked for."""

    quiet: bool
    step: int = 0
    started: float = field(default_factory=time.monotonic)

    def begin(self, text: str) -> None:
        """A new step, printed before its work starts."""
        self.step += 1
        self.say(f"\n{click.style(str(self.step), bold=True)}  {click.style(text, bold=True)}")

    def say(self, text: str = "", *, end: str = "\n") -> None:
        """One line."""
        if not self.quiet:
            click.echo(text, nl=end == "\n")
            sys.stdout.flush()

    def write(self, text: str) -> None:
        """A part of a line."""
        self.say(text, end="")

    def command(self, words: list[str]) -> None:
        """The command that does this step, as an operator types it."""
        self.say(click.style(f"   $ {shlex.join(words)}", dim=True))


def run(
    *, once: bool, as_json: bool, home: Path | None, port: int, service: str, settings: Sequence[str]
) -> None:
    """Run the tour; with `once` end after it, otherwise serve until Ctrl-C.

    Args:
        once: End after the tour.
        as_json: Print one JSON object instead.
        home: Keep everything here.
        port: Where the service listens; 0 for any free port.
        service: Name of the service that is shown.
        settings: Further settings of the service, `Key=Value`.

    Raises:
        ApplianceError: A step failed; the message names it and where its log lies.
    """
    _require_free(port)
    with contextlib.ExitStack() as stack:
        if home is None:
            place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="appliance-demo-")))
        else:
            place = home.resolve()
            place.mkdir(parents=True, exist_ok=True)
        tour = _Tour(quiet=as_json)
        result = _tour(stack, tour, place, port, SHOWCASES[service], settings)
        if as_json:
            click.echo(json.dumps(result, ensure_ascii=False, indent=2))
        if once:
            return
        stop = _interrupted()
        tour.say(f"\nready: {result['url']}  (Ctrl-C stops)")
        stop.wait()


def _require_free(port: int) -> None:
    """Refuse a port that something listens on, before anything is made or downloaded."""
    try:
        with socket.create_server(("127.0.0.1", port)):
            pass
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        reason = "is taken" if taken else f"cannot be used: {os.strerror(error.errno or 0)}"
        raise DemoFailed(
            f"port {port} {reason}",
            hint="choose another: appliance demo --port 5001, or --port 0 for any free one",
        ) from error


def _tour(
    stack: contextlib.ExitStack,
    tour: _Tour,
    home: Path,
    port: int,
    showcase: Showcase,
    settings: Sequence[str],
) -> dict[str, Any]:
    mounts = {name: home / name for name in ("license", "output", "state")}
    for directory in mounts.values():
        directory.mkdir(mode=0o700, exist_ok=True)

    tour.begin("A vendor: throw-away root keys, and an authority that sells licences")
    authority = stack.enter_context(open_authority(home / "vendor"))
    key = _sell(authority, showcase.product)
    billing = stack.enter_context(listening(authority))
    tour.say(f"   listening on {billing}, everything lies under {home}")

    tour.begin("The licence is downloaded, verified and saved: the only step with a network")
    serve = ["serve", "--roots", str(authority.roots_dir)]
    program = [sys.executable, "-m", "appliance", *serve]
    service_words = [] if showcase.product is CUSTOM_NER else [f"Service={showcase.product.name}"]
    words = [
        "Eula=accept",
        *service_words,
        f"Mounts:License={mounts['license']}",
        f"Mounts:State={mounts['state']}",
    ]
    downloading = [*words, f"Billing={billing}", f"ApiKey={key}", "DownloadLicense=True"]
    shown = ["ApiKey=…" if word.startswith("ApiKey=") else word for word in downloading]
    tour.command(["appliance", *serve, *shown])
    tour.say(_indent(download([*program, *downloading], home)))

    tour.begin("The service, disconnected: licence checked, model loaded, no network needed")
    serving_words = [*words, f"Mounts:Output={mounts['output']}", "Http:Host=127.0.0.1", f"Http:Port={port}"]
    serving_words += settings
    tour.command(["appliance", *serve, *serving_words])
    started = time.monotonic()
    url, service = stack.enter_context(serving([*program, *serving_words], home, tour.write))
    tour.say(f"   ready after {time.monotonic() - started:.1f} s on {url}")

    tour.begin(showcase.heading)
    answers = []
    for answer, line in showcase.ask(url):
        answers.append(answer)
        tour.say(f"   {line}")

    tour.begin("The usage, as recorded in the output mount")
    usage = get(f"{url}/records/usage-logs/")
    for meter in usage["meters"]:
        tour.say(f"   {meter['name']}  {meter['quantity']}")
    tour.say(f"   each answer names its own record, for example {answers[-1]['usage_record']}")

    tour.begin("An auditor, with the vendor's public root key and nothing else")
    sign(url, service)
    report = verify(mounts["output"], load_roots(authority.roots_dir))
    audit = _audit(report, showcase.product.units)
    for line in audit["lines"]:
        tour.say(f"   {line}")
    if report.exit_code:
        raise DemoFailed("the usage records do not verify", hint="; ".join(audit["lines"]))
    tour.say(f"\nHome page  {click.style(url + '/', underline=True)}")
    if showcase.own:
        tour.say(f"A recording of your own:\n   {showcase.own.format(url=url)}")
    return {
        "url": url,
        "home": str(home),
        "license": get(f"{url}/status")["license"],
        "answers": answers,
        "usage": usage,
        "audit": {"exit_code": report.exit_code, "findings": audit["findings"]},
    }


def _sell(authority: Authority, product: Product) -> str:
    """A key of what the customer bought."""
    return authority.create_resource(
        customer="Demo customer", product=product.product, tier="DC0", meters={product.meter: 1_000_000}
    ).key1


def _audit(report: Report, units: str) -> dict[str, Any]:
    """What the auditor says, as lines and as findings."""
    entries = sum(log.size for log in report.logs)
    signed = sum(log.signed for log in report.logs)
    total = sum(tally.quantity for tally in report.totals.values())
    verdict = click.style("verified", fg="green", bold=True) if not report.exit_code else "NOT verified"
    lines = [
        f"{verdict}: {entries} entries, {signed} under a signed checkpoint, {total:,} {units}",
        *(f"{finding.code}: {finding.message}" for finding in report.findings),
    ]
    return {"lines": lines, "findings": [finding.code for finding in report.findings]}


def _indent(text: str) -> str:
    return "\n".join(f"   {line}" for line in text.strip().splitlines())


def _interrupted() -> threading.Event:
    """An event that a signal to stop sets; make it before anybody is told that they may send one."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    return stop
