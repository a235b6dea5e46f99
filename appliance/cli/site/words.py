"""What an operator of a desk is told in place of words that are meant for a single service."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from appliance.errors import LedgerLocked, SettingsError
from license.encoding.strict import shown
from license.errors import CouldNotConnect, LicenseNotFound, WrongMachine
from license.files import quoted

_DIGITS: Final = 12


@contextmanager
def desk_words(home: Path) -> Iterator[None]:
    """Raise what is wrong with a desk's directory or licence with the next step for a desk.

    Args:
        home: Its directory.

    Raises:
        LedgerLocked: Another process runs it.
        LicenseNotFound, WrongMachine: It has no licence, or that of another desk.
    """
    here = quoted(home)
    try:
        yield
    except LedgerLocked as error:
        raise LedgerLocked(
            f"another process runs the desk in {home}",
            hint="one process runs a desk, or its plan would be granted twice: stop the other, or ask it "
            f"with `appliance site status --home {here}`",
        ) from error
    except LicenseNotFound as error:
        raise LicenseNotFound(
            f"the desk in {home} has no licence",
            hint=f"send the vendor the request of `appliance site request --home {here} -o request.note`, "
            f"then `appliance site install --home {here} license.note issuer.note`",
        ) from error
    except WrongMachine as error:
        raise WrongMachine(
            f"{error.message}: it is not bound to the keys of the desk in {home}",
            hint="a site licence is for one desk: to move that, move its whole directory; for a second desk "
            f"send the vendor a request of its own, `appliance site request --home {here} -o request.note`",
        ) from error


@contextmanager
def asking_words(home: Path, url: str) -> Iterator[None]:
    """Raise that a desk does not answer with the next step for a desk.

    Raises:
        CouldNotConnect: Nobody answers at the address.
    """
    try:
        yield
    except CouldNotConnect as error:
        error.hint = (
            f"start the desk with `appliance site serve --home {quoted(home)}`, or name its address in place "
            f"of {url} with --url"
        )
        raise


def replica_digits(text: str) -> str:
    """Return the digits of a replica as a desk writes them.

    Raises:
        SettingsError: They are no such digits.
    """
    digits = text.strip().lower()
    if len(digits) != _DIGITS or not set(digits) <= set("0123456789abcdef"):
        raise SettingsError(
            f"{shown(text)[:60]!r} is not a replica: that has {_DIGITS} digits, such as 731e0fccb93e",
            hint="`appliance site status` shows them",
        )
    return digits
