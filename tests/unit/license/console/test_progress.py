"""Progress is for people: on a terminal, and on standard error."""

import subprocess
import sys

SCRIPT = (
    "import time\nfrom license.console.progress import waiting\nwith waiting('checking'): time.sleep(1.5)"
)


def test_a_script_is_told_nothing() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")


def test_a_person_is_told_what_is_waited_for() -> None:
    watch = (
        "import os, pty, subprocess, sys\nours, theirs = pty.openpty()\n"
        f"subprocess.run([sys.executable, '-c', {SCRIPT!r}], stderr=theirs, check=True)\n"
        "print(os.read(ours, 1000).decode())"
    )
    done = subprocess.run([sys.executable, "-c", watch], capture_output=True, text=True, check=True)
    assert "checking: 1 s" in done.stdout
