"""The clock a licence is judged by, for people: how it stands, and their word that it is right."""

from dataclasses import dataclass

from appliance.errors import ApplianceError
from appliance.licensing.clock_confirmation import write_confirmation
from appliance.licensing.effective_time import open_clock
from appliance.licensing.installation import Installation, reading
from license.encoding.strict import DAY, MAX_TIME, format_time


class ClockRefusal(ApplianceError):
    """The word on the clock is not needed, or cannot be left."""

    code = "ClockRefusal"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockStand:
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


def clock_stand(site: Installation) -> ClockStand:
    """Return how the clock stands, from what the ledger kept last; the service may run meanwhile.

    Raises:
        ApplianceError, LicenseError: The installation has no keys or no licence.
    """
    licenses = site.licenses()
    clock = open_clock(licenses.current.license, licenses.floor)
    effective, wall = clock.now(), clock.reading().wall
    held, behind = clock.held, clock.behind
    if held:
        words = (
            f"the machine's clock is {_span(wall - effective)} ahead of what is proven and is not believed;"
            " if it is wrong, set it; if it is right, run `appliance clock accept`"
        )
    elif behind:
        words = (
            f"the machine's clock is {_span(effective - wall)} behind what is proven; set it."
            " If it ran ahead before, only a new licence sets the time back"
        )
    else:
        words = "the machine's clock is believed"
    state = "held" if held else "behind" if behind else "ok"
    return ClockStand(effective=effective, wall=wall, state=state, words=words)


def accept_clock(site: Installation) -> None:
    """Leave a person's word that the machine's clock is right, for the service to take.

    Raises:
        ClockRefusal: The clock is not held, so there is nothing to accept, or the word cannot be written.
    """
    stand = clock_stand(site)
    if stand.state != "held":
        raise ClockRefusal(f"there is nothing to accept: {stand.words}", hint="")
    try:
        write_confirmation(site.state, reading())
    except OSError as error:
        raise ClockRefusal(
            f"the word cannot be left in {site.state}: {error.strerror}",
            hint="run this as root or as the service's user",
        ) from error


def shown(second: int) -> str:
    """Return a Unix second in words, even one no licence could name."""
    return format_time(min(max(second, 0), MAX_TIME))


def _span(seconds: int) -> str:
    days, rest = divmod(seconds, DAY)
    return f"{days} days" if days > 1 else f"{rest // 3600 + days * 24} h {rest % 3600 // 60} min"
