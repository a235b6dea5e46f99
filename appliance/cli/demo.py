"""The newcomer's minute: both sides of the air gap on one machine, with nothing faked.

A throw-away vendor is made in a temporary directory and serves licences over HTTP on loopback. Then two
separate processes do what an operator's commands do: one downloads the licence, one serves without network.
The demo is their client, and in the end the auditor.
"""

import contextlib
import json
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, Request, build_opener

import click
import uvicorn

from appliance.config.products import CUSTOM_NER
from appliance.errors import ApplianceError
from appliance.pipeline.pipeline import TEXT_RECORDS
from license.authority.authority import Authority
from license.authority.http.app import make_app
from license.evidence.verify.result import Report
from license.evidence.verify.verify import verify
from license.trust.roots import load_roots

SENTENCES: Final = (
    "Marie Curie moved from Warsaw to Paris in 1891 and later taught at the Sorbonne.",
    "The World Health Organization sent two doctors from Geneva to Freetown on Monday.",
    "Siemens and Deutsche Bahn signed the contract in Munich, said Angela Merkel's office.",
    "Captain Ernest Shackleton left South Georgia with a crew of five.",
    "After leaving Reuters, Maria Ressa founded Rappler in Manila.",
)
_COLOURS: Final = {"Person": "cyan", "Organization": "yellow", "Location": "green"}
_START_SECONDS: Final = 60
_STOP_SECONDS: Final = 30
_SIGN_SECONDS: Final = 2


class DemoFailed(ApplianceError):
    """One step of the demo did not work."""

    code = "DemoFailed"


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

    def command(self, words: list[str]) -> None:
        """The command that does this step, as an operator types it."""
        self.say(click.style(f"   $ {shlex.join(words)}", dim=True))


def run(*, once: bool, as_json: bool, home: Path | None, port: int) -> None:
    """Run the tour; with `once` end after it, otherwise serve until Ctrl-C.

    Raises:
        ApplianceError: A step failed; the message names it and where its log lies.
    """
    with contextlib.ExitStack() as stack:
        if home is None:
            place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="appliance-demo-")))
        else:
            place = home.resolve()
            place.mkdir(parents=True, exist_ok=True)
        tour = _Tour(quiet=as_json)
        result = _tour(stack, tour, place, port)
        if as_json:
            click.echo(json.dumps(result, ensure_ascii=False, indent=2))
        if once:
            return
        stop = _interrupted()
        tour.say(f"\nready: {result['url']}  (Ctrl-C stops)")
        stop.wait()


def _tour(stack: contextlib.ExitStack, tour: _Tour, home: Path, port: int) -> dict[str, Any]:
    mounts = {name: home / name for name in ("license", "output", "state")}
    for directory in mounts.values():
        directory.mkdir(mode=0o700, exist_ok=True)

    tour.begin("A vendor: throw-away root keys, and an authority that sells licences")
    authority = stack.enter_context(_authority(home / "vendor"))
    key = _sell(authority)
    billing = stack.enter_context(_listening(authority))
    tour.say(f"   listening on {billing}, everything lies under {home}")

    tour.begin("The one connected moment: the licence is downloaded, verified and saved")
    serve = ["serve", "--roots", str(authority.roots_dir)]
    program = [sys.executable, "-m", "appliance", *serve]
    words = ["Eula=accept", f"Mounts:License={mounts['license']}", f"Mounts:State={mounts['state']}"]
    download = [*words, f"Billing={billing}", f"ApiKey={key}", "DownloadLicense=True"]
    tour.command(["appliance", *serve, *(w if not w.startswith("ApiKey=") else "ApiKey=…" for w in download)])
    tour.say(_indent(_download([*program, *download], home)))

    tour.begin("The service, disconnected: licence checked, model loaded, no network needed")
    serving = [*words, f"Mounts:Output={mounts['output']}", "Http:Host=127.0.0.1", f"Http:Port={port}"]
    tour.command(["appliance", *serve, *serving])
    started = time.monotonic()
    url, service = stack.enter_context(_serving([*program, *serving], home, tour))
    tour.say(f"   ready after {time.monotonic() - started:.1f} s on {url}")

    tour.begin("Sentences nobody tuned the model for")
    answers = [_recognize(url, sentence) for sentence in SENTENCES]
    for sentence, answer in zip(SENTENCES, answers, strict=True):
        tour.say(f"   {_highlight(sentence, answer['entities'])}")

    tour.begin("What the output mount now says was used")
    usage = _get(f"{url}/records/usage-logs/")
    for meter in usage["meters"]:
        tour.say(f"   {meter['name']}  {meter['quantity']}")
    tour.say(f"   each answer names its own record, for example {answers[-1]['usage_record']}")

    tour.begin("An auditor, with the vendor's public root key and nothing else")
    _sign(url, service)
    report = verify(mounts["output"], load_roots(authority.roots_dir))
    audit = _audit(report)
    for line in audit["lines"]:
        tour.say(f"   {line}")
    if report.exit_code:
        raise DemoFailed("the usage records do not verify", hint="; ".join(audit["lines"]))
    tour.say(f"\nHome page  {click.style(url + '/', underline=True)}")
    return {
        "url": url,
        "home": str(home),
        "license": _get(f"{url}/status")["license"],
        "answers": answers,
        "usage": usage,
        "audit": {"exit_code": report.exit_code, "findings": audit["findings"]},
    }


def _authority(home: Path) -> Authority:
    """The vendor; made anew unless the home directory has one already."""
    return Authority.open(home) if (home / "roots").is_dir() else Authority.create(home)


def _sell(authority: Authority) -> str:
    """A key of what the customer bought."""
    return authority.create_resource(
        customer="Demo customer", product=CUSTOM_NER.product, tier="DC0", meters={TEXT_RECORDS: 1_000_000}
    ).key1


@contextlib.contextmanager
def _listening(authority: Authority) -> Iterator[str]:
    """The authority on a free loopback port, in a thread of this process."""
    config = uvicorn.Config(
        make_app(authority), host="127.0.0.1", port=0, log_config=None, access_log=False, lifespan="off"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, name="authority", daemon=True)
    thread.start()
    _wait_until(lambda: server.started, "the authority did not start")
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(_STOP_SECONDS)


def _download(command: list[str], home: Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=_START_SECONDS, check=False)  # noqa: S603
    (home / "download.log").write_text(done.stderr, encoding="utf-8")
    if done.returncode != 0:
        raise DemoFailed("the licence could not be downloaded", hint=done.stderr.strip()[-500:])
    return done.stdout.split("\n\n")[0]


@contextlib.contextmanager
def _serving(command: list[str], home: Path, tour: _Tour) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """The service as its own process, from ready until it has drained."""
    log = home / "service.log"
    with log.open("wb") as output:
        # Its own process group: Ctrl-C must reach the demo alone, which then stops the service in order.
        process = subprocess.Popen(  # noqa: S603
            command, stdout=output, stderr=subprocess.STDOUT, process_group=0
        )
    try:
        yield _wait_ready(process, log, tour), process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_ready(process: "subprocess.Popen[bytes]", log: Path, tour: _Tour) -> str:
    deadline = time.monotonic() + _START_SECONDS
    tour.say("   ", end="")
    while time.monotonic() < deadline:
        for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
            _, found, url = line.partition(" ready: ")
            if found:
                tour.say()
                return url.strip()
        if process.poll() is not None:
            tour.say()
            reason = log.read_text(encoding="utf-8", errors="replace").strip()[-500:]
            raise DemoFailed("the service did not start", hint=reason)
        tour.say(".", end="")
        time.sleep(0.1)
    raise DemoFailed("the service was not ready in time", hint=f"see {log}")


def _sign(url: str, service: "subprocess.Popen[bytes]") -> None:
    """Ask for a checkpoint now instead of within the minute, so that the auditor finds nothing unsigned."""

    def signed() -> bool:
        ledger = _get(f"{url}/status")["ledger"]
        return bool(ledger["signed"] == ledger["size"])

    service.send_signal(signal.SIGHUP)
    _wait_until(signed, "the service signed no checkpoint", seconds=_SIGN_SECONDS)


def _recognize(url: str, sentence: str) -> dict[str, Any]:
    body = {
        "kind": "EntityRecognition",
        "analysisInput": {"documents": [{"id": "1", "text": sentence}]},
        "parameters": {"stringIndexType": "UnicodeCodePoint"},
    }
    request = Request(  # noqa: S310 (a URL of our own making)
        f"{url}/language/:analyze-text?api-version=2023-04-01",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    reply, headers = _fetch(request)
    entities = reply["results"]["documents"][0]["entities"]
    return {"text": sentence, "entities": entities, "usage_record": headers.get("Usage-Record")}


def _get(url: str) -> dict[str, Any]:
    return _fetch(Request(url))[0]  # noqa: S310


def _fetch(request: Request) -> tuple[dict[str, Any], Any]:
    # A proxy of this host has no business between two loopback sockets.
    try:
        with build_opener(ProxyHandler({})).open(request, timeout=_START_SECONDS) as reply:
            return json.load(reply), reply.headers
    except HTTPError as error:
        raise DemoFailed(
            f"{request.full_url} answered {error.code}", hint=error.read(500).decode()
        ) from error
    except URLError as error:
        raise DemoFailed(f"{request.full_url} did not answer: {error.reason}") from error


def _audit(report: Report) -> dict[str, Any]:
    """What the auditor says, as lines and as findings."""
    entries = sum(log.size for log in report.logs)
    signed = sum(log.signed for log in report.logs)
    total = sum(tally.quantity for tally in report.totals.values())
    verdict = click.style("verified", fg="green", bold=True) if not report.exit_code else "NOT verified"
    lines = [
        f"{verdict}: {entries} entries, {signed} under a signed checkpoint, {total} text records",
        *(f"{finding.code}: {finding.message}" for finding in report.findings),
    ]
    return {"lines": lines, "findings": [finding.code for finding in report.findings]}


def _highlight(sentence: str, entities: list[dict[str, Any]]) -> str:
    parts = []
    position = 0
    for entity in entities:
        start, end = entity["offset"], entity["offset"] + entity["length"]
        colour = _COLOURS.get(entity["category"], "magenta")
        found = click.style(sentence[start:end], fg=colour, bold=True)
        parts += [sentence[position:start], found, click.style(f"·{entity['category']}", fg=colour, dim=True)]
        position = end
    return "".join([*parts, sentence[position:]])


def _indent(text: str) -> str:
    return "\n".join(f"   {line}" for line in text.strip().splitlines())


def _wait_until(condition: Any, complaint: str, *, seconds: float = _START_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise DemoFailed(complaint)
        time.sleep(0.01)


def _interrupted() -> threading.Event:
    """An event that a signal to stop sets; make it before anybody is told that they may send one."""
    stop = threading.Event()
    for sign in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sign, lambda *_: stop.set())
    return stop
