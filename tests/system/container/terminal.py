"""A terminal of a host, at which a line is typed as the documents have it."""

import os
import pty
import re
import subprocess
import threading
import time
from typing import NamedTuple


class Ran(NamedTuple):
    """How a line that ends by itself ended."""

    code: int
    text: str


class Terminal:
    """A line typed at a terminal; it may serve until it is ended."""

    def __init__(self, line: str, environ: dict[str, str]) -> None:
        self._master, slave = pty.openpty()
        self.process = subprocess.Popen(
            ["sh", "-c", line], stdin=slave, stdout=slave, stderr=slave, env=environ, start_new_session=True,
        )  # fmt: skip
        os.close(slave)
        self._sent = bytearray()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        try:
            while data := os.read(self._master, 4096):
                self._sent.extend(data)
        except OSError:  # the last program has closed it
            pass

    def text(self) -> str:
        """Return what was printed, without colours and without what podman says of a missing systemd."""
        lines = re.sub(r"\x1b\[[0-9;]*m", "", self._sent.decode(errors="replace")).splitlines()
        return "".join(f"{line}\n" for line in lines if "unable to get systemd connection" not in line)

    def interrupt(self) -> None:
        """Type Ctrl-C."""
        os.write(self._master, b"\x03")

    def wait_for(self, word: str, seconds: float = 90) -> None:
        deadline = time.monotonic() + seconds
        while word not in self.text():
            assert time.monotonic() < deadline, f"no {word!r}: {self.text()[-3000:]}"
            assert self.process.poll() is None, f"it ended: {self.text()[-3000:]}"
            time.sleep(0.02)

    def close(self) -> None:
        """End what still runs; its container was removed."""
        if self.process.poll() is None:
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.ended(10)
        if self._master >= 0:
            os.close(self._master)
            self._master = -1

    def ended(self, seconds: float = 90) -> Ran:
        code = self.process.wait(seconds)
        self._reader.join(10)
        return Ran(code, self.text())
