"""Reserved space, freed to log 'disk full'."""

import os
from pathlib import Path

RESERVE_BYTES = 4 * 1024 * 1024
RESERVE_FILE = "reserve"


class Reserve:
    """The reserve of one ledger directory.

    Args:
        directory: Where `RESERVE_FILE` lies.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / RESERVE_FILE

    def hold(self) -> None:
        """Reserve the space unless it is reserved; raises `OSError` if the disk has less than that left."""
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, RESERVE_BYTES)
        except OSError:
            self.free()
            raise
        finally:
            os.close(descriptor)

    def free(self) -> None:
        """Free the space for the next write."""
        self._path.unlink(missing_ok=True)
