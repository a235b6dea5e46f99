"""The clock a licence is judged by, for people: its status, and their confirmation that it is right."""

from dataclasses import dataclass

from appliance.errors import ApplianceError
from appliance.licensing.clock_confirmation import write_confirmation
from appliance.licensing.effective_time import clock_state, open_clock
from appliance.licensing.installation import Installation, reading
from license.encoding.strict import DAY


class ClockRefusal(ApplianceError):
    """The confirmation of the clock is not needed, or cannot be written."""

    code = "ClockRefusal"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockStatus:
    """How the clock stands.

    Attributes:
        effective: Effective time, Unix seconds: what the licence is judged by.
        wall: What the machine's clock says.
        state: `ok`; `held` (too far ahead to be believed); `behind` (behind what is proven).
        words: The same in a sentence, with what to do.
    """

    effective: int
    wall: int
    state: str
    words: str


def clock_status(installation: Installation) -> ClockStatus:
    """Return how the clock stands, from what the ledger kept last; the service may run meanwhile.

    Raises:
        ApplianceError, LicenseError: The installation has no keys or no licence.
    """
    licenses = installation.licenses()
    clock = open_clock(licenses.current.license, licenses.high_water)
    effective, wall = clock.now(), clock.reading().wall
    state = clock_state(clock)
    if state == "held":
        words = (
            f"the machine's clock is {_span(wall - effective)} ahead of what is proven and is not believed;"
            " if it is wrong, set it; if it is right, run `appliance clock accept`"
        )
    elif state == "behind":
        words = (
            f"the machine's clock is {_span(effective - wall)} behind what is proven; set it."
            " If it ran ahead before, only a new licence sets the time back"
        )
    else:
        words = "the machine's clock is believed"
    return ClockStatus(effective=effective, wall=wall, state=state, words=words)


def accept_clock(installation: Installation) -> None:
    """Leave a person's confirmation that the machine's clock is right, for the service to take.

    Raises:
        ClockRefusal: The clock is not held, so there is nothing to accept, or no file can be written.
    """
    status = clock_status(installation)
    if status.state != "held":
        raise ClockRefusal(f"there is nothing to accept: {status.words}", hint="")
    try:
        write_confirmation(installation.identity().state, reading())
    except OSError as error:
        raise ClockRefusal(
            f"the confirmation cannot be written to {installation.state}: {error.strerror}",
            hint="run this as root or as the service's user",
        ) from error


def _span(seconds: int) -> str:
    days, rest = divmod(seconds, DAY)
    return f"{days} days" if days > 1 else f"{rest // 3600 + days * 24} h {rest % 3600 // 60} min"
