"""Checks of what opens the service: settings, trust roots, this machine's key, licence and clock."""

from typing import Final

from appliance.config.settings import Settings
from appliance.doctor.facts import Account, PathFact, TimeFact
from appliance.doctor.finding import Finding, failed, passed, warned
from appliance.errors import SettingsError
from appliance.host.effective_clock import ClockRules, Mark
from appliance.licensing.effective_time import time_text
from appliance.licensing.installation import likely_setting
from license.encoding.strict import DAY, format_time
from license.errors import LicenseError, LicenseNotFound
from license.files import quoted
from license.licenses.validity import State, days_left, grace_days_left, state_at, warnings
from license.licenses.verify import AuthenticLicense
from license.trust.roots import TrustRoots

_SHOWN_ROOTS: Final = 4
_INSTALL_CHRONY: Final = (
    "sudo apt-get install chrony    # with a server of your site in /etc/chrony/sources.d/"
)


def check_settings(settings: Settings) -> Finding:
    """The licence terms are accepted, and every setting is one that somebody reads."""
    try:
        settings.require_eula()
    except SettingsError as error:
        return failed("settings", error.message, error.hint)
    if settings.unknown:
        names = ", ".join(settings.unknown)
        meant = likely_setting(settings.unknown[0])
        return warned(
            "settings", f"nothing reads {names}", meant or "appliance serve --help    # lists every setting"
        )
    if settings.inert:
        return passed("settings", f"accepted; without meaning off line: {', '.join(settings.inert)}")
    return passed("settings", "the licence terms are accepted")


def check_roots(roots: TrustRoots | LicenseError) -> Finding:
    """There is a root key, and the service could not have put it there itself."""
    if isinstance(roots, LicenseError):
        return failed("trust roots", roots.message, roots.hint)
    names = [f"{key.name} ({path})" for key, path in zip(roots.keys, roots.sources, strict=True)]
    more = f" and {len(names) - _SHOWN_ROOTS} more" if len(names) > _SHOWN_ROOTS else ""
    return passed("trust roots", ", ".join(names[:_SHOWN_ROOTS]) + more)


def check_identity(key: PathFact, instance: str, error: str, service: Account) -> Finding:
    """The machine's key is there, is a key, and is nobody else's to read.

    Args:
        key: The file.
        instance: Twelve digits that name the installation; empty if the key could not be read.
        error: Why it could not be read, or empty.
        service: The user the service runs as.
    """
    if not key.exists and not key.error:
        return warned(
            "identity",
            f"there is no key of this machine at {key.path} yet; the first start makes one",
            "appliance license request    # makes it, and the request for a licence",
        )
    if error or key.error:
        return failed(
            "identity",
            f"the key of this machine, {key.path}, cannot be used: {error or key.error}",
            f"restore {key.path.parent} from its backup; without it a new licence is needed",
        )
    if key.mode & 0o077:
        return failed(
            "identity",
            f"others can read the key of this machine, {key.path} (mode {key.mode:04o})",
            f"sudo chmod 0600 {quoted(key.path)}",
        )
    if key.uid not in (service.uid, 0):
        return warned(
            "identity",
            f"{key.path} belongs to {key.owner}, and the service runs as {service.name}",
            f"sudo chown {service.name}: {quoted(key.path)}",
        )
    return passed("identity", f"instance {instance}, key {key.path}, owner {key.owner}, mode {key.mode:04o}")


def check_report(licensed: AuthenticLicense, now: int) -> Finding:
    """The day by which the vendor wants the next usage report is not near; service does not depend on it."""
    due = format_time(licensed.license.report_by)
    notices = [notice for notice in warnings(licensed.license, now) if notice.code == "ReportDue"]
    if not notices:
        return passed("usage report", f"the next one is due by {due}")
    command = "appliance usage export -o usage.zip    # then docs/runbooks/export.md"
    return warned("usage report", notices[0].message, command)


def check_license(licensed: AuthenticLicense | LicenseError, now: int) -> Finding:
    """A licence for this machine is there and serves at `now`, Unix seconds of effective time."""
    if isinstance(licensed, LicenseError):
        return failed("licence", f"{licensed.code}: {licensed.message}", licensed.hint)
    license = licensed.license
    state = state_at(license, now)
    name = f"{license.id}, serial {license.serial}, tier {license.plan.tier}"
    notices = warnings(license, now)
    hint = notices[0].hint if notices else "install a renewed licence: docs/runbooks/renewal.md"
    if state is State.VALID:
        return passed(
            "licence", f"{name}: expires {format_time(license.expires)}, in {days_left(license, now)} days"
        )
    if state is State.EXPIRING:
        return warned(
            "licence",
            f"{name}: expires {format_time(license.expires)}, in {days_left(license, now)} days",
            hint,
        )
    if state is State.GRACE:
        left = grace_days_left(license, now)
        return warned("licence", f"{name}: expired, and serves only {left} days more by its grace", hint)
    if state is State.NOT_YET_VALID:
        return failed(
            "licence",
            f"{name}: valid only from {format_time(license.not_before)}",
            "wait for that day, and check the clock: timedatectl",
        )
    return failed("licence", f"{name}: ended {format_time(license.terminates)}, so nothing is answered", hint)


def check_lease(licensed: AuthenticLicense | LicenseError, now: int) -> Finding:
    """The last lease of a connected run; each start asks for a new one, so its lack stops nothing by itself.

    Args:
        licensed: The lease, or why there is none.
        now: Unix seconds of effective time.
    """
    if isinstance(licensed, LicenseNotFound):
        return passed("lease", "there is none yet: the first start asks the endpoint for it")
    if isinstance(licensed, LicenseError):
        return warned(
            "lease", f"{licensed.code}: {licensed.message}", "appliance diagnose    # a start asks anew"
        )
    lease = licensed.license
    name = f"{lease.id}, tier {lease.plan.tier}"
    if state_at(lease, now).serves:
        return passed("lease", f"{name}: good until {format_time(lease.terminates)}, renewed each day")
    return warned(
        "lease", f"{name}: ended {format_time(lease.terminates)}", "appliance diagnose    # a start asks anew"
    )


def check_clock(wall: int, *, proven: int, mark: Mark | None, rules: ClockRules) -> Finding:
    """The machine's clock agrees with what licence and ledger prove.

    Args:
        wall: The machine's clock, Unix seconds.
        proven: Latest instant there is proof of: issue of the licence, last ledger entry; 0 without any.
        mark: What the ledger kept last; None without a ledger.
        rules: How far the clock may stray.
    """
    says = time_text(wall)
    set_it = 'sudo timedatectl set-time "YYYY-MM-DD hh:mm:ss"    # UTC; see docs/runbooks/clock.md'
    if wall < proven - rules.tolerance_seconds:
        return failed(
            "clock",
            f"the clock says {says}, but {format_time(proven)} is proven to have been; the later is used",
            set_it,
        )
    if mark is not None and wall > mark.effective + rules.max_gap_seconds:
        days = (wall - mark.effective) // DAY
        return warned(
            "clock",
            f"the clock says {says}, {days} days after the last usage record; it is not believed yet",
            "if it is right: appliance clock accept; if not, set it: docs/runbooks/clock.md",
        )
    return passed("clock", f"{says}, in line with licence and ledger")


def check_time_source(fact: TimeFact) -> Finding:
    """Somebody keeps the clock right: the kernel says so, or a time service that reached its server."""
    if fact.kernel:
        return passed("time source", "the kernel says that the clock is synchronised")
    if fact.age is not None and fact.age <= DAY:
        return passed("time source", f"the time service reached its server {fact.age // 60} minutes ago")
    if fact.container:
        return warned(
            "time source",
            "this container has the clock of its host, and nobody keeps that synchronised, so it drifts, "
            "and licences are judged by it",
            f"on the host: {_INSTALL_CHRONY}",
        )
    return warned(
        "time source",
        "nobody keeps the clock synchronised, so it drifts, and licences are judged by it",
        _INSTALL_CHRONY,
    )
