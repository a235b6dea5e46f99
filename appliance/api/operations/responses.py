"""The JSON that probes, status, models and usage answer with, as pydantic models; see `api.responses`."""

# ruff: noqa: N815 (names of the wire format)

from typing import Literal

from pydantic import Field

from appliance.api.responses import Reply


class Ready(Reply):
    """Whether a query would be answered now."""

    service: str
    ready: Literal["ready", "notReady"]
    message: str


class RefusedLicense(Reply):
    """A licence file that was found and is not in force."""

    file: str
    code: str
    message: str
    hint: str


class NextLicense(Reply):
    """A licence that waits for its first day."""

    id: str
    serial: int
    notBefore: str
    expires: str


class LicenseStatus(Reply):
    """The licence in force."""

    id: str
    serial: int
    customer: str
    product: str
    state: str
    notBefore: str
    expires: str
    terminates: str
    reportBy: str
    daysLeft: int
    graceDaysLeft: int
    tier: str
    models: list[str]
    issuer: str
    root: str
    refused: list[RefusedLicense]
    next: NextLicense | None = None


class PlannedMeter(Reply):
    """What the plan includes of one meter in the period in progress."""

    name: str
    included: int
    used: int
    percent: int
    from_: str = Field(alias="from")
    until: str


class PlanStatus(Reply):
    """The plan."""

    tier: str
    overage: str
    meters: list[PlannedMeter]


class ClockStatus(Reply):
    """The time that the licence is judged by, and the machine's own."""

    effective: str
    wall: str
    state: Literal["ok", "held", "behind"]


class Notice(Reply):
    """Something an operator should know."""

    code: str
    message: str
    hint: str


class ModelStatus(Reply):
    """A model being served, or one that could not be loaded, and why."""

    projectName: str
    deploymentName: str
    status: Literal["ready", "failed"]
    name: str | None = None
    release: str | None = None
    languages: list[str] | None = None
    reason: str | None = None
    hint: str | None = None


class Model(Reply):
    """A model under the names callers use; one that could not be loaded says why."""

    projectName: str
    deploymentName: str
    status: Literal["ready", "failed"]
    default: bool
    name: str | None = None
    modelVersion: str | None = None
    language: str | None = None
    languages: list[str] | None = None
    description: str | None = None
    categories: list[str] | None = None
    reason: str | None = None
    hint: str | None = None


class Models(Reply):
    """Every model of this service."""

    models: list[Model]


class Mismatch(Reply):
    """A place where the ledger is not what the licence says it was."""

    code: str
    origin: str
    size: int
    message: str


class LedgerStatus(Reply):
    """The usage ledger."""

    origin: str
    size: int
    signed: int
    healthy: bool
    mismatches: list[Mismatch]


class SiteStatus(Reply):
    """What the desk of a site has granted; `units` by meter, counted from the first day of the term."""

    desk: str
    term: str
    units: dict[str, int]
    sequence: int


class MeteringStatus(Reply):
    """How a connected run stands with its endpoint; times are null where there is none yet."""

    mode: Literal["connected"]
    endpoint: str
    status: str
    message: str
    intervalSeconds: int
    attemptsAllowed: int
    failedAttempts: int
    lastContact: str | None
    nextAttempt: str | None
    answersUntil: str | None
    log: str
    entries: int
    acknowledged: int
    site: SiteStatus | None = None


class StatusWithoutKey(Reply):
    """What a caller without an access key is told where keys are asked for."""

    service: str
    apiStatus: str
    apiStatusMessage: str


class Status(Reply):
    """State of the service; asking costs nothing."""

    service: str
    apiStatus: str
    apiStatusMessage: str
    version: str
    license: LicenseStatus
    plan: PlanStatus
    clock: ClockStatus
    notices: list[Notice]
    models: list[ModelStatus]
    ledger: LedgerStatus
    metering: MeteringStatus | None = None


class Meter(Reply):
    """What one meter counted: used, and counted against the plan."""

    name: str
    quantity: int
    billedUnit: int


class Usage(Reply):
    """Usage report, in the shape the containers give it."""

    type: Literal["CommerceUsageResponse"]
    apiType: str
    serviceName: str
    meters: list[Meter]


class DayUsage(Reply):
    """Text records of one UTC day."""

    date: str
    quantity: int


class DailyUsage(Reply):
    """Text records of a month, for the days that had any."""

    days: list[DayUsage]


MODELS = (Models, Ready, Status, StatusWithoutKey, Usage, DailyUsage)
"""The bodies that operations answer with."""
