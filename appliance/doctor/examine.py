"""Looks at everything once and puts each fact to its check; the order is that of a start."""

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from appliance.config.directories import OUTPUT_DIRECTORY, connected_mounts
from appliance.config.identity import KEY_FILE, Identity, load_identity
from appliance.config.products import SPEECH_TO_TEXT
from appliance.config.settings import Settings
from appliance.doctor import (
    facts,
)
from appliance.doctor import (
    host_checks as host,
)
from appliance.doctor import (
    license_checks as licences,
)
from appliance.doctor import (
    storage_checks as storage,
)
from appliance.doctor.facts import Account, LedgerFact, UnitFact
from appliance.doctor.finding import Finding
from appliance.errors import ApplianceError, IdentityError
from appliance.host.effective_clock import ClockRules, ClockSources
from appliance.ledger.read.high_water import HighWater, recorded_floor
from appliance.licensing.effective_time import rules_of, time_at_start
from appliance.licensing.manager import choose
from appliance.models.locations import find_models
from appliance.models.packages import NER, ModelKeys, find_packages, open_any
from appliance.ner.model_folder import ModelFolder
from appliance.speech.model.folder import SpeechFolder
from appliance.speech.model.kind import BUNDLED, SPEECH
from license.client.http import parse_address, post
from license.errors import LicenseError
from license.evidence.verify.verify import verify
from license.licenses.directory import load_all
from license.licenses.verify import AuthenticLicense
from license.trust.roots import TrustRoots, installed_roots, load_roots

ENVIRONMENT_FILE: Final = Path("/etc/appliance/appliance.env")
DOWNLOAD_FILE: Final = Path("/etc/appliance/download.env")
CREDENTIALS: Final = Path("/etc/appliance/credentials")
UNIT_STATE: Final = Path("/var/lib/appliance")
"""`StateDirectory=` of the unit: systemd makes what lies below it."""

_ENDPOINT_SECONDS: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """What is examined.

    Attributes:
        settings: Start parameters, with those of the unit's environment file.
        state: State directory.
        service: The user the service runs as.
        roots_directory: Trust roots that a person named; None for the installed ones.
        managed: Whether the settings came from the unit's environment file.
        verify: Whether every usage record is verified too, which takes as long as an audit.
    """

    settings: Settings
    state: Path
    service: Account
    roots_directory: Path | None = None
    managed: bool = False
    verify: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """What was found, and the facts that the support archive adds to it.

    Attributes:
        findings: In the order of a start.
        licensed: The licence, or why there is none.
        ledger: The ledger.
        unit: What systemd knows.
    """

    findings: tuple[Finding, ...]
    licensed: AuthenticLicense | LicenseError
    ledger: LedgerFact
    unit: UnitFact


def read_environment_file(path: Path) -> dict[str, str]:
    """Return the assignments of a systemd environment file (systemd.exec(5)); empty if it cannot be read."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return {}
    found = {}
    for line in lines:
        key, equals, value = line.strip().partition("=")
        if equals and not key.startswith(("#", ";")):
            value = value.strip()
            if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
                value = value[1:-1]
            found[key.strip()] = value
    return found


def patient(
    words: Sequence[str],
    environ: Mapping[str, str],
    *,
    roots_directory: Path | None = None,
    environment_file: Path = ENVIRONMENT_FILE,
    verify: bool = False,
) -> Patient:
    """Return what is to be examined, from a command line, an environment and the unit's environment file.

    Raises:
        SettingsError: A setting cannot be read.
    """
    unit = read_environment_file(environment_file)
    settings = Settings.read(words, {**unit, **environ})
    managed = bool(unit)
    if managed and settings.state_mount is None and not environ.get("STATE_DIRECTORY"):
        state = UNIT_STATE
    else:
        state = settings.state_directory(environ)
    return Patient(
        settings=connected_mounts(settings, state) if settings.connected else settings,
        state=state,
        service=_service_account(state, managed=managed),
        roots_directory=roots_directory,
        managed=managed,
        verify=verify,
    )


def examine(who: Patient, *, clock: ClockSources) -> Examination:
    """Look at the machine and return every finding. Reads only.

    Args:
        who: What is examined.
        clock: The machine's clocks.
    """
    settings = who.settings
    roots = _roots(who.roots_directory)
    key = facts.look_at(who.state / KEY_FILE)
    keys = _identity(who.state, exists=key.exists)
    identity = keys if isinstance(keys, Identity) else None
    instance = identity.instance if identity is not None else ""
    ledger_directory = _ledger_directory(settings, instance)
    floor = recorded_floor(ledger_directory) if ledger_directory is not None else HighWater()
    licensed = _license(who, roots, identity, floor, clock)
    proven, rules = _proven(licensed, floor)
    wall = clock.read().wall
    output = facts.nearest(settings.output_mount or who.state)
    models = _models(who, licensed, roots)
    ledger = (
        facts.ledger(ledger_directory) if ledger_directory is not None else LedgerFact(directory=who.state)
    )
    unit = facts.unit()
    findings = [
        licences.check_settings(settings),
        licences.check_roots(roots),
        _mount(who, "Mounts:State", who.state, written=True),
        licences.check_identity(
            key, instance, keys.message if isinstance(keys, IdentityError) else "", who.service
        ),
        *_license_findings(who, licensed, _judged_at(licensed, floor, clock)),
        licences.check_clock(wall, proven=proven, mark=floor.mark, rules=rules),
        licences.check_time_source(facts.time_source(kernel=clock.synchronised(), now=wall)),
        _mount(who, "Mounts:Output", settings.output_mount, written=True),
        storage.check_file_system(output),
        storage.check_space(output),
        storage.check_ledger(ledger),
        *([_evidence(who, roots)] if who.verify else []),
        host.check_processor(facts.processor()),
        host.check_memory(facts.memory(), sum(model.size for model in models)),
        *(host.check_model(model.name, model.found) for model in models),
        host.check_port(facts.port(settings.host, settings.port), settings.service.name),
        host.check_unit(unit),
        host.check_secrets(facts.look_at(DOWNLOAD_FILE), _credentials()),
    ]
    if settings.billing:
        findings.append(_endpoint(settings.billing))
    return Examination(findings=tuple(findings), licensed=licensed, ledger=ledger, unit=unit)


def _evidence(who: Patient, roots: TrustRoots | LicenseError) -> Finding:
    """Verify every usage record below the output mount, as `appliance usage verify` does."""
    output = who.settings.output_mount
    if output is None or isinstance(roots, LicenseError):
        return storage.check_evidence(None)
    try:
        return storage.check_evidence(verify(output, roots), output)
    except LicenseError as error:
        return storage.check_evidence(error, output)
    except OSError as error:
        return storage.check_evidence(LicenseError(f"{output}: {error.strerror}"), output)


def system_time() -> int:
    """Return the wall clock in Unix seconds, for the name of an archive and the head of a report."""
    return int(time.time())


def _license_findings(who: Patient, licensed: AuthenticLicense | LicenseError, now: int) -> list[Finding]:
    """What opens the service: a licence in its directory, or the lease of a connected run."""
    mount = who.settings.license_mount
    notes = storage.check_notes(_notes(mount), who.service)
    if who.settings.lease:
        return [notes, licences.check_lease(licensed, now)]
    return [
        _mount(who, "Mounts:License", mount, written=False),
        notes,
        licences.check_license(licensed, now),
    ]


def _notes(directory: Path | None) -> list[facts.PathFact]:
    try:
        return [facts.look_at(path) for path in sorted(directory.glob("*.note"))] if directory else []
    except OSError:
        return []


def _judged_at(licensed: AuthenticLicense | LicenseError, floor: HighWater, clock: ClockSources) -> int:
    if isinstance(licensed, LicenseError):
        return clock.read().wall
    return time_at_start(licensed.license, floor, clock)


def _mount(who: Patient, key: str, path: Path | None, *, written: bool) -> Finding:
    fact = facts.look_at(path) if path is not None else None
    below = path is not None and (path == UNIT_STATE or UNIT_STATE in path.parents)
    made = (who.managed and below) or (not who.managed and path in (who.state, who.state / OUTPUT_DIRECTORY))
    return storage.check_mount(key, fact, who.service, written=written, made=made)


def _service_account(state: Path, *, managed: bool) -> Account:
    """The owner of the unit's state directory; without a unit, whoever asks."""
    if managed:
        fact = facts.look_at(state)
        if fact.exists:
            return facts.account_of(fact.uid)
    return facts.account_of(os.geteuid())


def _roots(directory: Path | None) -> TrustRoots | LicenseError:
    try:
        return load_roots(directory) if directory is not None else installed_roots()
    except LicenseError as error:
        return error


def _identity(state: Path, *, exists: bool) -> Identity | IdentityError | None:
    """Return the machine's keys; None where there are none yet, for none are made here."""
    if not exists:
        return None
    try:
        return load_identity(state, create=False)
    except IdentityError as error:
        return error


def _ledger_directory(settings: Settings, instance: str) -> Path | None:
    if settings.output_mount is None or not instance:
        return None
    return settings.output_mount / settings.service.name / instance


def _license(
    who: Patient,
    roots: TrustRoots | LicenseError,
    identity: Identity | None,
    floor: HighWater,
    clock: ClockSources,
) -> AuthenticLicense | LicenseError:
    """Return the licence that a start would put in force."""
    if isinstance(roots, LicenseError):
        return roots
    if who.settings.license_mount is None:
        return LicenseError("Mounts:License is not set", hint="add Mounts:License=/etc/appliance/license")
    try:
        found = load_all(
            who.settings.license_mount,
            roots=roots,
            product=who.settings.service.product,
            instance_vkey=identity.vkey if identity is not None else None,
            min_serial=floor.serial,
            min_epoch=floor.epoch,
            lease=who.settings.lease,
        )
    except LicenseError as error:
        return error
    return choose(found, lambda license: time_at_start(license, floor, clock))


def _proven(licensed: AuthenticLicense | LicenseError, floor: HighWater) -> tuple[int, ClockRules]:
    """Return the latest instant there is proof of, and how far the clock may stray."""
    recorded = floor.mark.effective if floor.mark is not None else 0
    if isinstance(licensed, LicenseError):
        return recorded, ClockRules()
    return max(recorded, licensed.license.issued), rules_of(licensed.license)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Model:
    name: str
    size: int
    found: ModelFolder | SpeechFolder | ApplianceError | LicenseError


def _models(
    who: Patient, licensed: AuthenticLicense | LicenseError, roots: TrustRoots | LicenseError
) -> list[_Model]:
    """Open every model as a start would, without loading it."""
    try:
        if _speaks(who):
            place = who.settings.model_mount or BUNDLED
            return [_Model(name="speech", size=_bytes(place), found=_open(who, place, licensed, roots))]
        places = find_models(who.settings)
    except ApplianceError as error:
        return [_Model(name="", size=0, found=error)]
    return [
        _Model(
            name=f"{place.project}/{' and '.join(place.names)}",
            size=_bytes(place.path),
            found=_open(who, place.path, licensed, roots),
        )
        for place in places
    ]


def _open(
    who: Patient, path: Path, licensed: AuthenticLicense | LicenseError, roots: TrustRoots | LicenseError
) -> ModelFolder | SpeechFolder | ApplianceError | LicenseError:
    try:
        if not find_packages(path):
            return SpeechFolder.open(path) if _speaks(who) else ModelFolder.open(path)
        if isinstance(licensed, LicenseError):
            return licensed
        if isinstance(roots, LicenseError):
            return roots
        hpke = load_identity(who.state, create=False).hpke
        keys = ModelKeys(licensed=licensed, hpke=hpke, roots=roots)
        return open_any(path, keys, SPEECH) if _speaks(who) else open_any(path, keys, NER)
    except (ApplianceError, LicenseError) as error:
        return error


def _speaks(who: Patient) -> bool:
    return who.settings.service is SPEECH_TO_TEXT


def _bytes(place: Path) -> int:
    """Size of a model's largest file: its weights, encrypted or not."""
    try:
        files = [place] if place.is_file() else [path for path in place.iterdir() if path.is_file()]
        return max((path.stat().st_size for path in files), default=0)
    except OSError:
        return 0


def _credentials() -> list[facts.PathFact]:
    try:
        return [facts.look_at(path) for path in sorted(CREDENTIALS.iterdir())]
    except OSError:
        return []


def _endpoint(billing: str) -> Finding:
    """Ask for the status page without a key: any answer in HTTP shows that the way is open."""
    try:
        endpoint = parse_address(billing, "/v1/status")
        post(endpoint, b"", {"Content-Type": "text/plain"}, _ENDPOINT_SECONDS)
    except LicenseError as error:
        return host.check_endpoint(billing, error)
    return host.check_endpoint(endpoint.shown, None)
