"""What a connected run sends, byte for byte, shown without sending it: the three requests there are.

The bytes are made by the code that sends them. Only the key is replaced by a word.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from appliance.config.directories import connected_mounts, ledger_directory
from appliance.config.identity import Identity
from appliance.config.settings import Settings
from appliance.ledger.read.high_water import recorded_high_water
from appliance.licensing.request import request_note
from appliance.metering.lease import metering_client
from appliance.metering.reports import acknowledged, find_logs, next_report
from appliance.version import VERSION

KEY_SHOWN: Final = "<ApiKey>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request: what it is for, and its bytes before any TLS."""

    title: str
    data: bytes


def preview(settings: Settings, identity: Identity, *, now: int | None = None) -> Iterator[Request]:
    """Return what would be sent now: the request for a lease, and a report for each log with usage, or the
    question how far it is counted.

    Read-only; the service may run meanwhile.

    Args:
        settings: Of the service; `Billing` at least.
        identity: Keys of this installation.
        now: The time that the request names, Unix seconds; this machine's clock without it.

    Raises:
        SettingsError: `Billing` is missing.
        BillingInvalid: It is not an address.
    """
    client = metering_client(replace(settings, api_key=KEY_SHOWN))
    mounted = connected_mounts(settings, identity.state)
    output = mounted.output_mount or identity.state
    directory = ledger_directory(output, settings.service, identity.instance)
    high_water = recorded_high_water(directory)
    note = request_note(
        identity,
        settings.service,
        created=int(time.time()) if now is None else now,
        serial=high_water.serial,
    )
    yield Request(title="before the first answer, and once a day", data=client.shown_lease(note))
    logs = find_logs(directory)
    positions = acknowledged(logs)
    every = f"every {settings.metering_seconds} s, and at the stop"
    idle = logs[-1:]
    for found in logs:
        # A report signs the log as it stands before it reads it.
        log = replace(found, signed=found.size)
        report = next_report(log, positions.get(log.origin, 0), VERSION, identity.signing)
        if report is not None:
            idle = []
            yield Request(title=f"{every}: the next report of {log.origin}", data=client.shown_report(report))
    for log in idle:
        yield Request(title=f"{every}: with nothing to report", data=client.shown_check(log.origin))
