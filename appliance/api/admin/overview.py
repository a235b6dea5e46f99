"""What the operators' page shows at a glance, as JSON: asked every few seconds, so it reads no ledger."""

from pathlib import Path
from typing import Any

from appliance.api.admin.parts import AdminParts
from appliance.api.admin.words import license_sentences, no_plan_sentence, plan_sentence, report_sentence
from appliance.host.filesystem import LOW_SPACE_BYTES, free_bytes
from appliance.host.memory import memory_limit, resident_bytes
from appliance.ledger.log.disk_reserve import RESERVE_FILE
from appliance.licensing.effective_time import clock_state, time_text
from appliance.models.folder_facts import folder_facts
from appliance.pipeline.deployments import Deployment
from license.encoding.strict import format_time


def overview(parts: AdminParts) -> dict[str, Any]:
    """Return the state of a service in words and numbers; asks the disk for free space, so it may block."""
    service = parts.service
    snapshot = service.status.snapshot()
    license = service.licenses.current.license
    report = parts.report()
    open_now, most = parts.open_connections()
    return {
        **report,
        "connected": parts.connected,
        "instance": parts.identity.instance,
        "words": {
            "license": license_sentences(license, snapshot.now),
            "report": report_sentence(license, snapshot.now),
            "plan": [plan_sentence(use) for use in snapshot.plan],
            "noPlan": no_plan_sentence(license.plan),
        },
        "ledger": {
            **report["ledger"],
            **_disk(service.output_mount, service.ledger_directory),
            "wholeAt": format_time(service.ledger.scrubber.whole_at)
            if service.ledger.scrubber.whole_at
            else None,
        },
        "clock": _clock(parts),
        "connections": {"open": open_now, "most": most},
        "memory": {"resident": resident_bytes(), "limit": memory_limit()},
    }


def _disk(output: Path, ledger: Path) -> dict[str, Any]:
    try:
        free = free_bytes(output)
    except OSError:
        free = None
    return {
        "freeBytes": free,
        "lowSpace": free is not None and free < LOW_SPACE_BYTES,
        "reserve": (ledger / RESERVE_FILE).is_file(),
        "directory": str(ledger),
    }


def _clock(parts: AdminParts) -> dict[str, Any]:
    clock = parts.service.clock
    reading = clock.reading()
    state = clock_state(clock)
    told: dict[str, Any] = {
        "effective": format_time(clock.now()),
        "wall": time_text(reading.wall),
        "state": state,
    }
    if state == "held":  # what a confirmation has to name: this boot, and the time that a person saw
        told["seen"] = {"wall": reading.wall, "uptime": int(reading.uptime), "boot": reading.boot}
    return told


def models(parts: AdminParts) -> list[dict[str, Any]]:
    """Return every model with what its folder tells; reads folders, so it may block."""
    deployments = parts.service.deployments
    served = [_served(one, default=n == 0) for n, one in enumerate(deployments)]
    failed = [
        {
            "project": one.project,
            "deployment": one.name,
            "state": "failed",
            "reason": one.reason,
            "hint": one.hint,
        }
        for one in deployments.failed
    ]
    return served + failed


def _served(one: Deployment, *, default: bool) -> dict[str, Any]:
    facts = folder_facts(one.path)
    return {
        "project": one.project,
        "deployment": one.name,
        "state": "ready",
        "default": default,
        "name": one.model,
        "release": one.release,
        "languages": list(one.languages),
        "categories": list(one.categories),
        "bytes": facts.size,
        "changed": format_time(facts.changed) if facts.changed else None,
        "measure": facts.measure,
        "percent": facts.percent,
        "scoredOn": facts.scored_on,
        "card": facts.card,
    }
