"""Load from autocannon, a generator that others keep, beside our own.

It is installed once by npm from its lock file and kept in `.bench/autocannon`. It asks in a closed loop here:
its fixed rate comes in bursts, all connections at once, as callers who know nothing of one another do not.
Latencies are those of all replies together, answered and refused.
"""

import json
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from bench.environments import HERE, KEPT
from bench.load import Load, Spec

LOCKED = HERE / "autocannon"


def installed() -> Path:
    """Return the program, installed if it is not there.

    Raises:
        FileNotFoundError: npm is not installed.
        subprocess.CalledProcessError: Its packages cannot be had.
    """
    home = KEPT / "autocannon"
    program = home / "node_modules" / "autocannon" / "autocannon.js"
    if not program.is_file():
        home.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(LOCKED / name, home)
        subprocess.run(["npm", "ci", "--silent"], cwd=home, check=True)
    return program


def autocannon(spec: Spec) -> Load:
    """Load a server with autocannon: so many clients, each asks again."""
    with tempfile.TemporaryDirectory() as place:
        har = Path(place) / "requests.har"
        har.write_text(json.dumps(_har(spec)))
        words = [
            *("node", str(installed()), "--json", "--no-progress", "--har", str(har)),
            *("-c", str(spec.clients), "-d", str(int(spec.seconds)), "-t", "60"),
            f"http://{spec.host}:{spec.port}",
        ]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
    return _load(json.loads(done.stdout[done.stdout.index("{") :]))


def _har(spec: Spec) -> dict[str, Any]:
    address = f"http://{spec.host}:{spec.port}{spec.path}"
    headers = [{"name": "Content-Type", "value": "application/json"}]
    entries = [
        {
            "request": {
                "method": "POST",
                "url": address,
                "headers": headers,
                "postData": {"mimeType": "application/json", "text": body},
            }
        }
        for body in spec.bodies
    ]
    return {"log": {"version": "1.2", "entries": entries}}


def _load(told: dict[str, Any]) -> Load:
    statuses = {status: one["count"] for status, one in told.get("statusCodeStats", {}).items()}
    if told["errors"]:
        statuses["errors"] = told["errors"]
    latency = told["latency"]
    answered = statuses.get("200", 0)
    return Load(
        answered=answered,
        per_second=round(answered / told["duration"], 2),
        statuses=statuses,
        p50=latency["p50"],
        p95=latency["p97_5"],  # it tells no p95
        p99=latency["p99"],
        refused_p50=0.0,
        refused_p99=0.0,
        late_p99=0.0,
        cpu_us=0.0,
        seconds=told["duration"],
    )
