"""The licence in force: chosen at start, checked again while the service runs, kept if a new file is bad.

Several licences may lie in the directory. In force is the one with the highest serial among those that serve
now, so a renewal may be installed before its first day: the present licence stays until then, and the change
happens by itself. A file that is damaged, forged or for another machine changes nothing and is kept in
`refused`, for `/status` and the log.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from appliance.errors import UsageStoreUnavailable
from appliance.host.container import access_hint
from license.encoding.strict import format_time
from license.errors import LicenseError, Superseded
from license.licenses.directory import load_all
from license.licenses.license import License
from license.licenses.validity import Notice, State, check_dates, state_at, warnings
from license.licenses.verify import AuthenticLicense
from license.trust.roots import TrustRoots

_log = logging.getLogger("appliance.licensing")

TimeUnder = Callable[[License], int]
"""Effective time in seconds that a licence is judged by; a new one may put right a clock that ran ahead."""

_MAX_REFUSED: Final = 16


class LicenseManager:
    """Keeps the licence in force. `current` may be read from any thread; the rest is locked.

    Args:
        directory: What `Mounts:License` names.
        roots: Keys that may vouch for it.
        product: What the licence must be for.
        instance_vkey: This installation's key, as licences name it.
        time_under: The time to judge by at start.
        min_serial: Highest licence serial this installation has had in force.
        min_epoch: Highest issuer epoch it has seen.
        lease: Whether the directory is that of a connected run, which holds a lease.
        site: Whether it is that of a site's desk, which holds the licence of a site.

    Attributes:
        current: The licence in force.
        pending: The licence that will be in force next, on its first day; None without one.
        refused: Files that were refused although another licence is good, with the reason.
        problem: Why the directory could not be used at all when it was last looked at.

    Raises:
        LicenseError: No licence there may be used here; the error says why and what to do.
    """

    def __init__(  # noqa: PLR0913 (one keyword for each thing a caller decides)
        self,
        directory: Path,
        *,
        roots: TrustRoots,
        product: str,
        instance_vkey: str,
        time_under: TimeUnder,
        min_serial: int = 0,
        min_epoch: int = 0,
        lease: bool = False,
        site: bool = False,
    ) -> None:
        self._directory = directory
        self._lease, self._site = lease, site
        self._roots = roots
        self._product = product
        self._instance_vkey = instance_vkey
        self._seen_serial = min_serial
        self._announced: set[tuple[str, str, str, int]] = set()
        self._lock = threading.Lock()
        self.refused: tuple[tuple[Path, LicenseError], ...] = ()
        self.problem: LicenseError | UsageStoreUnavailable | None = None
        usable = self._load(min_serial=min_serial, min_epoch=min_epoch)
        self.current = choose(usable, time_under)
        self.pending = next_after(self.current, usable, time_under)

    def require_startable(self, now: int) -> None:
        """Refuse to start under a licence that would answer nothing.

        A licence that was in force here before may start although it has expired: status, usage records and
        verification stay readable, and the renewed licence is picked up by itself.

        Raises:
            LicenseError: `NotYetValid`, or `Expired` and never in force here.
        """
        try:
            check_dates(self.current.license, now)
        except LicenseError as error:
            known = self.current.license.serial == self._seen_serial
            if not known or state_at(self.current.license, now) is not State.EXPIRED:
                if self.pending is not None:
                    serial, begins = self.pending.license.serial, self.pending.license.not_before
                    error.hint = f"licence serial {serial} is here and valid from {format_time(begins)}"
                raise
            _log.error("no request is answered: %s; %s", error.message, error.hint)

    def reload(self, accept: Callable[[AuthenticLicense], None], *, time_under: TimeUnder) -> None:
        """Look at the directory again; a better licence is put in force once `accept` has recorded it.

        A directory that is missing, unreadable or holds only worse licences changes nothing: the licence in
        force stays so until its own dates. The reason is kept in `problem` and logged once.

        Args:
            accept: Records the change; what it raises leaves the present licence in force.
            time_under: The time to judge by.
        """
        with self._lock:
            known = self.current
            try:
                usable = self._load(min_serial=known.license.serial, min_epoch=known.delegation.epoch)
                best = choose([*usable, known], time_under)
                if best.sha256 != known.sha256:
                    accept(best)
                    self.current = best
                    _log.warning(
                        "licence %s (serial %d) is in force until %s",
                        best.license.id,
                        best.license.serial,
                        format_time(best.license.expires),
                    )
                self._announce_pending(next_after(self.current, usable, time_under))
                self.problem = None
            except (LicenseError, UsageStoreUnavailable) as error:
                if self.problem is None or self.problem.message != error.message:
                    _log.warning(
                        "the licence directory cannot be used, the licence in force stays: %s; %s",
                        error.message,
                        error.hint,
                    )
                self.problem = error

    def announce(self, notice: Notice, *, subject: str = "") -> None:
        """Log what the operator should know in advance, once for each mark that is announced.

        Args:
            notice: What to say.
            subject: What it is about, where there are several, such as a meter and its month.
        """
        key = (self.current.sha256, notice.code, subject, notice.mark)
        if key not in self._announced:
            self._announced.add(key)
            _log.warning("%s: %s", notice.message, notice.hint)

    def notices(self, now: int) -> tuple[Notice, ...]:
        """What its dates make worth saying at `now`, most urgent first."""
        notices = warnings(self.current.license, now)
        try:
            check_dates(self.current.license, now)
        except LicenseError as error:
            return (Notice(code=error.code, mark=0, message=error.message, hint=error.hint),)
        if self.pending is None:
            return notices
        renewed = self.pending.license
        if renewed.not_before > self.current.license.terminates:
            return notices
        # The end that is announced will not come: the renewal is here and takes over before it.
        return tuple(notice for notice in notices if notice.code not in ("Expiring", "Grace"))

    def _announce_pending(self, pending: AuthenticLicense | None) -> None:
        known = self.pending
        self.pending = pending
        if pending is not None and (known is None or known.sha256 != pending.sha256):
            _log.info(
                "licence %s (serial %d) is here and will be in force from %s",
                pending.license.id,
                pending.license.serial,
                format_time(pending.license.not_before),
            )

    def _load(self, *, min_serial: int, min_epoch: int) -> list[AuthenticLicense]:
        refused: list[tuple[Path, LicenseError]] = []

        def on_refusal(path: Path, reason: LicenseError) -> None:
            # The licence before the present one may stay where it is: nothing to log.
            if not isinstance(reason, Superseded):
                refused.append((path, reason))

        usable = load_all(
            self._directory,
            roots=self._roots,
            product=self._product,
            instance_vkey=self._instance_vkey,
            min_serial=min_serial,
            min_epoch=min_epoch,
            lease=self._lease,
            site=self._site,
            on_refusal=on_refusal,
            hint=access_hint,
        )
        announced = {(path, reason.message) for path, reason in self.refused}
        self.refused = tuple(refused[:_MAX_REFUSED])
        for path, reason in self.refused:
            if (path, reason.message) not in announced:
                _log.warning("%s is refused and changes nothing: %s; %s", path, reason.message, reason.hint)
        return usable


def choose(usable: Sequence[AuthenticLicense], time_under: TimeUnder) -> AuthenticLicense:
    """Return the licence to be in force: one that serves before one that does not, then the highest serial.

    Of licences that do not serve, an expired one comes before one whose first day lies ahead. One whose plan
    has not begun serves a few minutes early, as clocks differ, but not while another one does.
    """

    def rank(licensed: AuthenticLicense) -> tuple[bool, bool, bool, int]:
        license, now = licensed.license, time_under(licensed.license)
        state = state_at(license, now)
        begun = now >= license.plan.period[0]
        return state.serves, begun, state is not State.NOT_YET_VALID, license.serial

    return max(usable, key=rank)


def next_after(
    current: AuthenticLicense, usable: Sequence[AuthenticLicense], time_under: TimeUnder
) -> AuthenticLicense | None:
    """Return the licence that will replace the present one on its first day, if one is there."""
    later = [
        licensed
        for licensed in usable
        if licensed.license.serial > current.license.serial
        and state_at(licensed.license, time_under(licensed.license)) is State.NOT_YET_VALID
    ]
    return min(later, key=lambda licensed: licensed.license.not_before, default=None)
