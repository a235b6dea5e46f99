"""The keys that sign checkpoints, one for each UTC day, and their end.

A day key is made before the entry that announces it, lies in the state directory (0600) while its day lasts,
and is erased once the next day's key has been certified by it. Afterwards nobody can sign another history of
that day: not a thief, and not the owner of this machine. `docs/formats.md`, part Evidence, says what that is
worth.
"""

import contextlib
import os
from pathlib import Path

from license.crypto.ed25519 import SigningKey, VerifyingKey, load_signing_key, save_signing_key
from license.errors import LicenseError

_PATTERN = "day-*.key"


class DayKeys:
    """The day keys in one state directory.

    Args:
        directory: The state directory, mode 0700.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._known: SigningKey | None = None

    def make(self, origin: str) -> SigningKey:
        """Make a key that signs for this log, and keep it; raises `OSError` if it cannot be kept."""
        key = SigningKey.generate(origin)
        save_signing_key(self._path(key.verifying), key)
        self._known = key
        return key

    def find(self, verifying: VerifyingKey) -> SigningKey | None:
        """Return the private half of a day key; None if it is missing or unreadable.

        The one found or made last is remembered: while the process runs, a state directory that fails costs
        no log.
        """
        if self._known is not None and self._known.verifying == verifying:
            return self._known
        try:
            key = load_signing_key(self._path(verifying))
        except LicenseError:
            return None
        if key.verifying != verifying:
            return None
        self._known = key
        return key

    def origins(self) -> set[str]:
        """Return the logs that a key is kept for, by the name it bears: they must have existed."""
        names = set()
        for path in self._directory.glob(_PATTERN):
            with contextlib.suppress(LicenseError):
                names.add(load_signing_key(path).verifying.name)
        return names

    def erase_except(self, verifying: VerifyingKey) -> None:
        """Erase every day key but this one.

        The bytes are overwritten first. A copying file system or a flash disk may still hold them: that is
        one of the limits named in `docs/formats.md`.
        """
        kept = self._path(verifying)
        for path in self._directory.glob(_PATTERN):
            if path != kept:
                _erase(path)

    def _path(self, verifying: VerifyingKey) -> Path:
        return self._directory / f"day-{verifying.public[:8].hex()}.key"


def _erase(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(bytes(path.stat().st_size))
        file.flush()
        os.fsync(file.fileno())
    path.unlink()
