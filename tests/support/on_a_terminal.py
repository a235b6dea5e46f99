"""Runs a program of this repository with a terminal for its output, and prints what the terminal was sent.

python -m tests.support.on_a_terminal license resource list
"""

import os
import pty
import sys

MODULES = {"appliance": "appliance", "license": "license.authority.cli.main"}

if __name__ == "__main__":
    program, *words = sys.argv[1:]
    sent = bytearray()

    def keep(descriptor: int) -> bytes:
        data = os.read(descriptor, 1024)
        sent.extend(data)
        return data

    silent = os.open(os.devnull, os.O_WRONLY)
    printed = os.dup(1)
    os.dup2(silent, 1)  # `spawn` copies what it reads to standard output
    pty.spawn([sys.executable, "-m", MODULES[program], *words], keep)
    os.write(printed, bytes(sent))
