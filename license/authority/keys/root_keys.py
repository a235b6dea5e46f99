"""The vendor's root keys: made once, kept off line, fetched only to name the next issuer or witness.

A root lies in a file of its own, as far from the authority's directory as the vendor likes: on another
medium, under a passphrase (an age file that `age --decrypt` opens too), or both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from license.crypto import age
from license.crypto.ed25519 import SigningKey, load_signing_key, save_signing_key
from license.encoding.strict import clean_text
from license.errors import AuthorityError, ExcessiveWork, LicenseError, Malformed, WrongPassphrase
from license.files import read_limited, write_atomic

MIN_PASSPHRASE_CHARS: Final = 12
LOCKED_SUFFIX: Final = ".age"
_MAX_BYTES: Final = 16_384


@dataclass(frozen=True, slots=True, kw_only=True)
class RootPlace:
    """Where a new root key goes.

    Attributes:
        directory: An existing directory; None is the authority's own `keys`.
        passphrase: What locks it; None leaves it in clear, for trying things out and for media that are
            encrypted as a whole.
    """

    directory: Path | None = None
    passphrase: str | None = None

    def __post_init__(self) -> None:
        if self.passphrase is not None:
            check_passphrase(self.passphrase)


def check_passphrase(phrase: str) -> None:
    """Refuse a passphrase that protects nothing; raises `Malformed`."""
    if len(phrase) < MIN_PASSPHRASE_CHARS:
        raise Malformed(
            f"a passphrase needs at least {MIN_PASSPHRASE_CHARS} characters",
            hint="five random words are easier to keep than twelve random characters",
        )
    if not phrase.isprintable():
        raise Malformed("a passphrase may hold no control characters", hint="type it on one line")


def read_passphrase(path: Path) -> str:
    """Return the first line of a passphrase file.

    Raises:
        Unreadable: it cannot be read.
        Malformed: the passphrase is too short.
    """
    phrase = clean_text(read_limited(path, _MAX_BYTES)).partition("\n")[0]
    check_passphrase(phrase)
    return phrase


def save_root(path: Path, key: SigningKey, place: RootPlace) -> Path:
    """Write a root key beside `path` or where `place` says, and return where it lies.

    Raises:
        OSError: it cannot be written.
        AuthorityError: there is one already.
    """
    target = (place.directory or path.parent) / path.name
    if place.passphrase is not None:
        target = target.with_name(target.name + LOCKED_SUFFIX)
    if target.exists():
        raise AuthorityError(
            f"{target} already holds a root key",
            code="AlreadyExists",
            hint="keys are never overwritten: choose another directory",
        )
    if place.passphrase is None:
        save_signing_key(target, key)
    else:
        write_atomic(target, age.lock(key.to_text().encode() + b"\n", place.passphrase))
    return target


def load_root(path: Path, ask: Callable[[], str]) -> SigningKey:
    """Return the root key in a file that `save_root` wrote.

    Args:
        path: The file.
        ask: Gives the passphrase; called only if the file is locked.

    Raises:
        Unreadable: the file is missing or not permitted.
        WrongPassphrase: the passphrase does not open it.
        ExcessiveWork: it was locked with more work than this machine does.
        Malformed: it holds no root key.
    """
    data = read_limited(path, _MAX_BYTES)
    if not age.is_locked(data):
        return load_signing_key(path)
    try:
        secret = age.unlock(data, ask())
    except WrongPassphrase as error:
        raise WrongPassphrase(f"the passphrase does not open {path}") from error
    except ExcessiveWork as error:
        raise ExcessiveWork(f"{path} was locked with more work than this machine can do") from error
    try:
        return SigningKey.from_text(clean_text(secret).removesuffix("\n"))
    except LicenseError as error:
        raise Malformed(f"{path} holds no signing key: {error.message}") from error
