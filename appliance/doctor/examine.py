"""Reads every fact once and runs each check on it, in the order of a start."""

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from appliance.config.directories import OUTPUT_DIRECTORY, connected_mounts
from appliance.config.env_file import ENVIRONMENT_FILE, load_env_file, read_env_file
from appliance.config.identity import KEY_FILE, Identity
from appliance.config.image_defaults import read_settings
from appliance.config.products import SPEECH_TO_TEXT
from appliance.config.settings import Settings
from appliance.config.state_place import StatePlace, find_state
from appliance.doctor import facts
from appliance.doctor.facts import Account, LedgerFact, UnitFact
from appliance.doctor.finding import Finding, failed, passed, warned
from appliance.doctor.host_checks import (
    check_endpoint,
    check_memory,
    check_model,
    check_port,
    check_processor,
    check_secrets,
    check_unit,
)
from appliance.doctor.license_checks import (
    check_clock,
    check_identity,
    check_lease,
    check_license,
    check_report,
    check_roots,
    check_settings,
    check_time_source,
)
from appliance.doctor.probe import PortFact, port
from appliance.doctor.storage_checks import (
    check_evidence,
    check_file_system,
    check_ledger,
    check_mount,
    check_notes,
    check_space,
)
from appliance.errors import ApplianceError, IdentityError, SettingsError
from appliance.host.container import access_hint
from appliance.host.effective_clock import ClockRules, ClockSources, clock_rules
from appliance.host.main_process import words_beside
from appliance.ledger.read.high_water import HighWater, recorded_high_water
from appliance.licensing.effective_time import time_at_start
from appliance.licensing.installation import Installation
from appliance.licensing.manager import choose
from appliance.models.locations import find_models
from appliance.models.packages import ModelKeys, find_packages, open_any
from appliance.ner.model_folder import ModelFolder
from appliance.ner.model_kind import NER
from appliance.speech.model.folder import SpeechFolder
from appliance.speech.model.kind import SPEECH, served_folders
from license.client.http import parse_address, post
from license.errors import LicenseError
from license.evidence.verify.verify import verify as verify_directory
from license.licenses.directory import load_all
from license.licenses.verify import AuthenticLicense
from license.trust.roots import TrustRoots

DOWNLOAD_FILE: Final = Path("/etc/appliance/download.env")
CREDENTIALS: Final = Path("/etc/appliance/credentials")
UNIT_STATE: Final = Path("/var/lib/appliance")
"""`StateDirectory=` of the unit: systemd makes what lies below it."""

_ENDPOINT_SECONDS: Final = 10


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


def read_installation(
    words: Sequence[str],
    environ: Mapping[str, str],
    *,
    roots_directory: Path | None = None,
    environment_file: Path = ENVIRONMENT_FILE,
) -> Installation:
    """Return what is to be examined, from a command line, an environment and the unit's environment file.

    Unlike `Installation.read` it goes on with settings that nothing reads, and takes the unit's directories
    wherever the unit has settings: the doctor looks at what systemd would start.

    Raises:
        SettingsError: A setting cannot be read.
    """
    try:
        unit = read_env_file(environment_file)
        hosted = bool(unit)
    except SettingsError:  # a finding: see `_environment_file`
        unit, hosted = {}, True
    settings = read_settings([*words_beside(environ), *words], {**unit, **environ})
    if hosted and settings.state_mount is None and not environ.get("STATE_DIRECTORY"):
        place = StatePlace(keys=UNIT_STATE)
    else:
        place = find_state(settings, environ)
    return Installation(
        settings=connected_mounts(settings, place.keys) if settings.connected else settings,
        state=place.keys,
        ledgers=place.ledgers,
        roots_directory=roots_directory,
        hosted=hosted,
    )


def examine(
    installation: Installation,
    *,
    clock: ClockSources,
    verify: bool = False,
    environment_file: Path = ENVIRONMENT_FILE,
) -> Examination:
    """Look at the machine and return every finding. Reads only.

    Args:
        installation: What is examined.
        clock: The machine's clocks.
        verify: Whether every usage record is verified too, which takes as long as an audit.
        environment_file: The settings file of the unit.
    """
    settings, state = installation.settings, installation.state
    service = _service_account(installation)
    roots = _roots(installation)
    key = facts.look_at(state / KEY_FILE)
    keys = _identity(installation, exists=key.exists)
    identity = keys if isinstance(keys, Identity) else None
    instance = identity.instance if identity is not None else ""
    directory = installation.ledger_directory(instance) if instance else None
    high_water = recorded_high_water(directory) if directory is not None else HighWater()
    licensed = _license(installation, roots, identity, high_water, clock)
    proven, rules = _proven(licensed, high_water)
    wall = clock.read().wall
    output = facts.nearest(settings.output_mount or state)
    models = _models(installation, licensed, roots)
    ledger = facts.ledger(directory) if directory is not None else LedgerFact(directory=state)
    unit = facts.unit()
    findings = [
        *_environment_file(environment_file),
        check_settings(settings),
        check_roots(roots),
        _mount(installation, service, "Mounts:State", state, written=True),
        check_identity(key, instance, keys.message if isinstance(keys, IdentityError) else "", service),
        *_license_findings(installation, service, licensed, _judged_at(licensed, high_water, clock)),
        check_clock(wall, proven=proven, mark=high_water.mark, rules=rules),
        check_time_source(facts.time_source(kernel=clock.synchronised(), now=wall)),
        _mount(installation, service, "Mounts:Output", settings.output_mount, written=True),
        check_file_system(output),
        check_space(output),
        check_ledger(ledger),
        *([_evidence(settings.output_mount, roots)] if verify else []),
        check_processor(facts.processor()),
        check_memory(facts.memory(), sum(model.size for model in models), settings.sessions),
        *(check_model(model.name, model.folder) for model in models),
        check_port(
            port(settings.host, settings.port, tls=settings.tls_certificate is not None),
            settings.service.name,
        ),
        check_unit(unit),
        check_secrets(facts.look_at(DOWNLOAD_FILE), _credentials()),
    ]
    if settings.billing:
        findings.append(_endpoint(settings.billing))
    return Examination(findings=tuple(findings), licensed=licensed, ledger=ledger, unit=unit)


def _environment_file(path: Path) -> list[Finding]:
    """Say whether systemd takes the unit's settings file, and what it ignores in it; nothing without one."""
    name = "settings file"
    try:
        read = load_env_file(path)
    except SettingsError as error:
        return [failed(name, error.message, error.hint)]
    if read.ignored:
        return [warned(name, f"systemd ignores a part of {path}: {'; '.join(read.ignored)}", f"edit {path}")]
    return [passed(name, f"{path} sets {len(read.values)} settings")] if read.values else []


def _evidence(output: Path | None, roots: TrustRoots | LicenseError) -> Finding:
    """Verify every usage record below the output mount, as `appliance usage verify` does."""
    if output is None or isinstance(roots, LicenseError):
        return check_evidence(None)
    try:
        return check_evidence(verify_directory(output, roots), output)
    except LicenseError as error:
        return check_evidence(error, output)
    except OSError as error:
        return check_evidence(LicenseError(f"{output}: {error.strerror}"), output)


def system_time() -> int:
    """Return the wall clock in Unix seconds, for the name of an archive and the head of a report."""
    return int(time.time())


def _license_findings(
    installation: Installation, service: Account, licensed: AuthenticLicense | LicenseError, now: int
) -> list[Finding]:
    """What opens the service: a licence in its directory, or the lease of a connected run."""
    mount = installation.settings.license_mount
    notes = check_notes(_notes(mount), service)
    if installation.settings.lease:
        return [notes, check_lease(licensed, now)]
    return [
        _mount(installation, service, "Mounts:License", mount, written=False),
        notes,
        check_license(licensed, now),
        *([] if isinstance(licensed, LicenseError) else [check_report(licensed, now)]),
    ]


def _notes(directory: Path | None) -> list[facts.PathFact]:
    try:
        return [facts.look_at(path) for path in sorted(directory.glob("*.note"))] if directory else []
    except OSError:
        return []


def _judged_at(licensed: AuthenticLicense | LicenseError, high_water: HighWater, clock: ClockSources) -> int:
    if isinstance(licensed, LicenseError):
        return clock.read().wall
    return time_at_start(licensed.license, high_water, clock)


def _mount(
    installation: Installation, service: Account, key: str, path: Path | None, *, written: bool
) -> Finding:
    fact = facts.look_at(path) if path is not None else None
    if installation.hosted:
        made = path is not None and (path == UNIT_STATE or UNIT_STATE in path.parents)
    else:
        made = path in (installation.state, installation.state / OUTPUT_DIRECTORY)
    return check_mount(key, fact, service, written=written, made=made)


def _service_account(installation: Installation) -> Account:
    """The owner of the unit's state directory; without a unit, whoever asks."""
    if installation.hosted:
        fact = facts.look_at(installation.state)
        if fact.exists:
            return facts.account_of(fact.uid)
    return facts.account_of(os.geteuid())


def _port(settings: Settings) -> PortFact:
    return port(settings.host, settings.port, tls=settings.tls_certificate is not None)


def _roots(installation: Installation) -> TrustRoots | LicenseError:
    try:
        return installation.roots()
    except LicenseError as error:
        return error


def _identity(installation: Installation, *, exists: bool) -> Identity | IdentityError | None:
    """Return the machine's keys; None where there are none yet, for none are made here."""
    if not exists:
        return None
    try:
        return installation.identity()
    except IdentityError as error:
        return error


def _license(
    installation: Installation,
    roots: TrustRoots | LicenseError,
    identity: Identity | None,
    high_water: HighWater,
    clock: ClockSources,
) -> AuthenticLicense | LicenseError:
    """Return the licence that a start would put in force."""
    if isinstance(roots, LicenseError):
        return roots
    if installation.settings.license_mount is None:
        return LicenseError("Mounts:License is not set", hint="add Mounts:License=/etc/appliance/license")
    try:
        usable = load_all(
            installation.settings.license_mount,
            roots=roots,
            product=installation.settings.service.product,
            instance_vkey=identity.vkey if identity is not None else None,
            min_serial=high_water.serial,
            min_epoch=high_water.epoch,
            lease=installation.settings.lease,
            hint=access_hint,
        )
    except LicenseError as error:
        return error
    return choose(usable, lambda license: time_at_start(license, high_water, clock))


def _proven(licensed: AuthenticLicense | LicenseError, high_water: HighWater) -> tuple[int, ClockRules]:
    """Return the latest instant there is proof of, and how far the clock may stray."""
    recorded = high_water.mark.effective if high_water.mark is not None else 0
    if isinstance(licensed, LicenseError):
        return recorded, ClockRules()
    return max(recorded, licensed.license.issued), clock_rules(licensed.license.clock)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Model:
    name: str
    size: int
    folder: ModelFolder | SpeechFolder | ApplianceError | LicenseError


def _models(
    installation: Installation, licensed: AuthenticLicense | LicenseError, roots: TrustRoots | LicenseError
) -> list[_Model]:
    """Open every model as a start would, without loading it."""
    try:
        if _speaks(installation):
            settings = installation.settings
            folders = served_folders(settings.model_mount, settings.bundled_speech)
            return [
                _Model(
                    name="speech" if len(folders) == 1 else f"speech, {path.name}",
                    size=_bytes(path),
                    folder=_open(installation, path, licensed, roots),
                )
                for path in folders
            ]
        places = find_models(installation.settings)
    except ApplianceError as error:
        return [_Model(name="", size=0, folder=error)]
    return [
        _Model(
            name=f"{place.project}/{' and '.join(place.names)}",
            size=_bytes(place.path),
            folder=_open(installation, place.path, licensed, roots),
        )
        for place in places
    ]


def _open(
    installation: Installation,
    path: Path,
    licensed: AuthenticLicense | LicenseError,
    roots: TrustRoots | LicenseError,
) -> ModelFolder | SpeechFolder | ApplianceError | LicenseError:
    try:
        if not find_packages(path):
            return SpeechFolder.open(path) if _speaks(installation) else ModelFolder.open(path)
        if isinstance(licensed, LicenseError):
            return licensed
        if isinstance(roots, LicenseError):
            return roots
        hpke = installation.identity().hpke
        keys = ModelKeys(licensed=licensed, hpke=hpke, roots=roots)
        return open_any(path, keys, SPEECH) if _speaks(installation) else open_any(path, keys, NER)
    except (ApplianceError, LicenseError) as error:
        return error


def _speaks(installation: Installation) -> bool:
    return installation.settings.service is SPEECH_TO_TEXT


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
        return check_endpoint(billing, error)
    return check_endpoint(endpoint.shown, None)
