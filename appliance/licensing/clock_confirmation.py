"""The operator's confirmation of the clock, read by the service.

`appliance clock accept` writes a small file into the state directory, which only the service's user and root
may write. The service reads and removes it within a minute, or at once on SIGHUP, and then believes the
clock, once. The file names the boot and the time that the operator saw: it is of no use later.
"""

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from appliance.host.effective_clock import EffectiveClock, Reading
from appliance.host.filesystem import give_to_owner
from license.errors import LicenseError
from license.files import read_limited, write_atomic

_log = logging.getLogger("appliance.clockword")

FILE: Final = "clock-accept.json"
_MAX_BYTES: Final = 1_024
_TOLERANCE_SECONDS: Final = 300


def write_confirmation(directory: Path, reading: Reading) -> Path:
    """Write down that the wall clock of this reading is right; returns the file.

    Raises:
        OSError: The state directory cannot be written.
    """
    path = directory / FILE
    confirmation = {"wall": reading.wall, "uptime": int(reading.uptime), "boot": reading.boot}
    write_atomic(path, json.dumps(confirmation).encode("ascii"))
    give_to_owner(path)
    return path


def consume_confirmation(directory: Path, clock: EffectiveClock) -> bool:
    """Adopt a held wall clock if the operator confirmed it; the file is removed whatever it says.

    Returns:
        Whether the clock was adopted.
    """
    path = directory / FILE
    if not path.exists():
        return False
    try:
        try:
            confirmation = _read(path)
        finally:
            path.unlink()
    except (LicenseError, OSError, ValueError) as error:
        _log.warning("the confirmation of the clock in %s cannot be used: %s", path, error)
        return False
    if not vouches(confirmation, clock.reading()):
        _log.warning("the confirmation of the clock is for another time or boot: ignored")
        return False
    if not clock.accept():
        _log.info("the clock was believed already: nothing to accept")
        return False
    _log.warning("this machine's clock is accepted: the operator confirmed it")
    return True


def accept_seen(confirmation: Mapping[str, Any], clock: EffectiveClock, *, by: str) -> bool:
    """Adopt a held wall clock that somebody saw and confirms, without a file.

    Args:
        confirmation: `wall`, `uptime` and `boot`, as in the file.
        clock: The clock.
        by: Who confirmed it, for the log.

    Returns:
        Whether the clock was adopted; not if the confirmation is about another time or boot.
    """
    if not vouches(confirmation, clock.reading()) or not clock.accept():
        return False
    _log.warning("this machine's clock is accepted: %s confirmed it", by)
    return True


def vouches(confirmation: Mapping[str, Any], reading: Reading) -> bool:
    """Tell whether a confirmation is about this boot, and about the time the clock now shows."""
    wall, uptime = confirmation.get("wall"), confirmation.get("uptime")
    if not isinstance(wall, int) or not isinstance(uptime, int) or confirmation.get("boot") != reading.boot:
        return False
    return abs(reading.wall - (wall + reading.uptime - uptime)) <= _TOLERANCE_SECONDS


def _read(path: Path) -> Mapping[str, Any]:
    confirmation = json.loads(read_limited(path, _MAX_BYTES))
    if not isinstance(confirmation, dict):
        raise ValueError("it is not a JSON object")
    return confirmation
