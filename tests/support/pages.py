"""Pages of the documentation as scripts: the commands that they print, typed as they stand."""

import contextlib
import io
import os
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from click.testing import CliRunner

import appliance.cli.main
import license.authority.cli.main
from license.evidence.tool.command import main as usage_verify
from tests.support.paths import ROOT

PROGRAMS = {"appliance": appliance.cli.main.main, "license": license.authority.cli.main.main}
_TRUSTING = ("license download", "license install", "license show", "usage verify", "usage receipt")
"""Commands that read installed roots: a test names others."""


def commands(page: str) -> list[str]:
    """Return the calls of our programs in a page of docs/, in its order: indented, or in a block `sh`."""
    text = (ROOT / "docs" / page).read_text()
    text = re.sub(r"^```sh\n(.*?)^```$", _indented, text, flags=re.MULTILINE | re.DOTALL)
    code = "\n".join(line[4:] for line in text.splitlines() if line.startswith("    "))
    lines = code.replace("\\\n", " ").splitlines()
    return [line for line in lines if re.match(r"(appliance|license|python3 usage-verify\.pyz) ", line)]


def _indented(block: re.Match[str]) -> str:
    return "".join(f"    {line}\n" for line in block[1].splitlines())


@dataclass
class Desk:
    """Somebody's desk: where they type, what they see as which path, and their environment.

    Attributes:
        home: The working directory.
        places: What printed paths and values are here, longest first.
        environ: Settings, as the environment names them.
        roots: The vendor's public roots.
    """

    home: Path
    roots: Path
    places: Mapping[str, object] = field(default_factory=dict)
    environ: Mapping[str, object] = field(default_factory=dict)

    def type(self, command: str, *more: object, status: int = 0) -> str:
        """Type a command of a page; further words may say what the page leaves to a terminal or a root.

        Returns:
            What it printed, on both outputs.
        """
        for printed in sorted(self.places, key=len, reverse=True):
            command = command.replace(printed, str(self.places[printed]))
        program, *words = shlex.split(command, comments=True)
        words, target = (words[:-2], words[-1]) if words[-2:-1] == [">"] else (words, "")
        words += map(str, more)
        with contextlib.chdir(self.home):
            code, out, said = self._run(program, words)
            assert code == status, f"{command}\n{code}\n{out}{said}"
            if target:
                Path(target).write_text(out)
        return out + said

    def _run(self, program: str, words: list[str]) -> tuple[int, str, str]:
        if program == "python3":
            out = io.StringIO()
            return usage_verify(words[1:], out=out), out.getvalue(), ""
        if program == "appliance" and " ".join(words[:2]) in _TRUSTING:
            words[2:2] = ["--roots", str(self.roots)]
        environ: dict[str, str | None] = {name: None for name in os.environ if "__" in name}
        environ |= {name: str(value) for name, value in self.environ.items()}
        done = CliRunner().invoke(PROGRAMS[program], words, env=environ)
        return done.exit_code, done.stdout, done.stderr


def beginning(lines: list[str], *starts: str) -> Iterator[str]:
    """Yield, for each of some beginnings, the first command of a page that begins so."""
    for start in starts:
        yield next(line for line in lines if line.startswith(start))
