"""Files in the age format (C2SP age). The only file that touches pyrage.

Two uses: model packages, streamed to one X25519 recipient, and the vendor's off-line keys under a passphrase.
The Debian program `age` reads and writes both. What lies inside is for the callers; there is no cipher to
choose.
"""

from __future__ import annotations

from collections.abc import Callable
from io import BufferedIOBase
from typing import Final, Protocol, TypeVar, cast

import pyrage
from pyrage import passphrase, x25519

from license.errors import ExcessiveWork, LicenseError, Malformed, NoModelKey, WrongPassphrase

IDENTITY_PREFIX: Final = "AGE-SECRET-KEY-1"
_T = TypeVar("_T")
_HEADER: Final = b"age-encryption.org/v1\n"
_ARMOR: Final = b"-----BEGIN AGE ENCRYPTED FILE-----"
_EXCESSIVE: Final = "Excessive work"
# To see how much work this machine can do, age times it for a few milliseconds: other processes disturb that.
_TRIES: Final = 20


class Source(Protocol):
    """What is read from."""

    def read(self, size: int = -1, /) -> bytes:
        """Return at most `size` bytes; none at the end."""
        ...


class Sink(Protocol):
    """What is written to."""

    def write(self, data: bytes, /) -> int:
        """Take all of `data` and return its length."""
        ...

    def flush(self) -> None:
        """Nothing more will come."""
        ...


def new_identity() -> str:
    """Return a new X25519 identity, `AGE-SECRET-KEY-1…`. Whoever reads it opens what it encrypts."""
    return str(x25519.Identity.generate())


def recipient_of(identity: str) -> str:
    """Return the public half, `age1…`, of an identity.

    Raises:
        Malformed: not an identity; the message quotes nothing of it.
    """
    return str(_identity(identity).to_public())


def encrypt(source: Source, sink: Sink, *, to: str) -> None:
    """Encrypt everything `source` gives to the recipient `to` (`age1…`), 64 KiB at a time.

    Raises:
        Malformed: not a recipient.
        Exception: whatever `source` or `sink` raised.
    """
    try:
        recipient = x25519.Recipient.from_str(to)
    except pyrage.RecipientError as error:
        raise Malformed("an age recipient must look like age1…") from error
    ends = _Ends(source, sink)
    try:
        pyrage.encrypt_io(cast(BufferedIOBase, ends), cast(BufferedIOBase, ends), [recipient])
    except Exception as error:
        raise ends.failure or error from None


def decrypt(source: Source, sink: Sink, *, identity: str) -> None:
    """Decrypt what `source` gives into `sink`; every 64 KiB are authentic before `sink` sees them.

    That the *last* bytes were seen too is known only when this returns.

    Raises:
        Malformed: `identity` is none, `source` is not an age file, or it is damaged or cut short.
        NoModelKey: the file is encrypted to another identity.
        Exception: whatever `source` or `sink` raised.
    """
    key, ends = _identity(identity), _Ends(source, sink)
    try:
        pyrage.decrypt_io(cast(BufferedIOBase, ends), cast(BufferedIOBase, ends), [key])
    except (pyrage.DecryptError, OSError, LicenseError) as error:
        if ends.failure is not None:
            raise ends.failure from None
        if "No matching keys" in str(error):
            raise NoModelKey("the file is encrypted to another key") from error
        raise Malformed("the file is damaged, cut short, or not in the age format") from error


class _Ends:
    """Both ends of a stream; keeps what they raise, which pyrage would turn into words of its own.

    After a failure nothing more is passed on: pyrage writes what it still holds once more while it gives up.
    """

    def __init__(self, source: Source, sink: Sink) -> None:
        self._source = source
        self._sink = sink
        self.failure: Exception | None = None

    def read(self, size: int = -1, /) -> bytes:
        return self._call(lambda: self._source.read(size))

    def write(self, data: bytes, /) -> int:
        return self._call(lambda: self._sink.write(data))

    def flush(self) -> None:
        self._call(self._sink.flush)

    def _call(self, act: Callable[[], _T]) -> _T:
        if self.failure is not None:
            raise self.failure
        try:
            return act()
        except Exception as error:
            self.failure = error
            raise


def lock(secret: bytes, phrase: str) -> bytes:
    """Return `secret` encrypted under a passphrase (scrypt, about a second of work), as text."""
    return passphrase.encrypt(secret, phrase, armored=True)


def unlock(data: bytes, phrase: str) -> bytes:
    """Return what `lock` encrypted.

    Raises:
        WrongPassphrase: another passphrase, or the file was changed; one cannot tell which.
        ExcessiveWork: it was locked with more work than this machine does in some seconds.
        Malformed: not a file that `lock` wrote.
    """
    if not is_locked(data):
        raise Malformed("the file is not encrypted in the age format")
    for _ in range(_TRIES):
        try:
            return passphrase.decrypt(data, phrase)
        except (pyrage.DecryptError, OSError) as error:
            if not str(error).startswith(_EXCESSIVE):
                raise WrongPassphrase("the passphrase does not open the file") from error
    raise ExcessiveWork("the file was locked with more work than this machine can do in some seconds")


def is_locked(data: bytes) -> bool:
    """Tell whether the bytes begin as an age file does, armored or not."""
    return data.startswith((_HEADER, _ARMOR))


def _identity(text: str) -> x25519.Identity:
    try:
        return x25519.Identity.from_str(text)
    except pyrage.IdentityError as error:
        raise Malformed(f"an age identity must look like {IDENTITY_PREFIX}…") from error
