"""A wrong clock in one container: the library of Debian's package `libfaketime`, from this machine.

Only the wall clock is wrong, as where it was set; what counts seconds runs on. It follows a file, so that it
may jump while the container runs.
"""

from pathlib import Path
from typing import Final

_LIBRARY: Final = "faketime/libfaketimeMT.so.1"
_INSIDE: Final = "/faketime"


def find_faketime() -> Path | None:
    """Return the library, where the package is installed."""
    return next(iter(Path("/usr/lib").glob(f"*/{_LIBRARY}")), None)


def why_no_faketime() -> str:
    """Why no clock can be wrong here; empty if one can."""
    return "" if find_faketime() else "needs a clock that can be set: apt-get install libfaketime"


class Clock:
    """The wall clock of a container, right at first.

    Args:
        home: Folder for its file.
    """

    def __init__(self, home: Path) -> None:
        home.mkdir()
        home.chmod(0o755)
        self._file = home / "now"
        self.set(0)

    def set(self, seconds: int) -> "Clock":
        """Set it so many seconds ahead, or behind."""
        self._file.write_text(f"{seconds:+d}\n")
        self._file.chmod(0o644)
        return self

    @property
    def words(self) -> tuple[str, ...]:
        """Words of `podman run`."""
        library = find_faketime()
        assert library is not None
        environ = {
            "LD_PRELOAD": f"{_INSIDE}/{library.name}",
            "FAKETIME_TIMESTAMP_FILE": "/clock/now",
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }
        mounts = (f"{library.parent}:{_INSIDE}:ro", f"{self._file.parent}:/clock:ro")
        return (
            *(word for name, value in environ.items() for word in ("-e", f"{name}={value}")),
            *(word for mount in mounts for word in ("-v", mount)),
        )
