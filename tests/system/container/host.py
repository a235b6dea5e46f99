"""A host with the directories that the documents ask for, and the lines of the page that are typed there."""

import atexit
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.support.paths import ROOT
from tests.system.container.engine import Engine
from tests.system.container.shop import Shop
from tests.system.container.terminal import Ran, Terminal

USER = 10001
CORES = os.cpu_count() or 1
TEXT = "Text, disconnected"
_LICENSED: dict[str, Path] = {}
"""For each engine, the licence directory of a host that has downloaded one."""
PAGE = ROOT / "docs/deploy/README.md"


class Host:
    """Directories of a host, as the documents ask for them, and lines of the page that are typed there."""

    def __init__(self, home: Path, engine: Engine, images: dict[str, str], shop: Shop, port: int) -> None:
        self.home, self.engine, self.images, self.shop, self.port = home, engine, images, shop, port
        self.started: list[tuple[str, Terminal]] = []
        for name in ("license", "output", "models"):
            self.directory(name)

    def directory(self, name: str, owner: int = USER, mode: int = 0o700) -> Path:
        path = self.home / name
        path.mkdir(exist_ok=True)
        path.chmod(mode)
        os.chown(path, owner, owner)
        return path

    def line(self, heading: str, number: int = 0, **more: str) -> str:
        """Return a line of the page with what is this customer's, and nothing else changed."""
        values = {
            "IMAGE": self.images["text"],
            "SPEECH_IMAGE": self.images["speech"],
            "DIAGNOSTIC_IMAGE": self.images["diagnostic"],
            "ENDPOINT_URI": self.shop.url,
            "LICENSE_PATH": str(self.home / "license"),
            "OUTPUT_PATH": str(self.home / "output"),
            "MODELS_PATH": str(self.home / "models"),
            "MODELS_KEY": self.shop.models,
            "LOCALE": "en-US",
            **more,
        }
        text = documented(heading)[number]
        # Another port of the host, as the documents say where one is taken.
        text = text.replace("-p 5000:5000", f"-p 127.0.0.1:{self.port}:5000")
        return re.sub(r"\{([A-Z_]+)\}", lambda found: values[found[1]], text)

    def type(self, line: str, *options: str) -> tuple[str, Terminal]:
        """Type a line, and return the name of the container and the terminal."""
        name = f"oa-{self.port}-{len(self.started)}"
        added = " ".join(["run", "--name", name, *options])
        # Docker refuses more cores than there are; podman does not mind.
        line = re.sub(r"--cpus (\d+)", lambda found: f"--cpus {min(int(found[1]), CORES)}", line)
        line = line.replace("docker run", f"{self.engine.name} {added}", 1)
        terminal = Terminal(line, {**os.environ, **self.engine.environ})
        self.started.append((name, terminal))
        return name, terminal

    def run(self, line: str, *options: str) -> Ran:
        """Type a line that ends by itself."""
        return self.type(line, *options)[1].ended()

    def serve(self, line: str, *options: str) -> tuple[str, Terminal]:
        """Type a line that serves, and wait until it does."""
        name, terminal = self.type(line, *options)
        terminal.wait_for("Application started")
        return name, terminal

    def download(self) -> str:
        """Type the line that downloads a licence for text, and return what it says."""
        ended = self.run(self.line(TEXT, 0, API_KEY=self.shop.disconnected))
        assert ended.code == 0, ended.text
        return ended.text

    def license(self) -> None:
        """Give this host a licence: a copy of what the first one downloaded, keys and all."""
        kept = _LICENSED.get(self.engine.name)
        place = self.home / "license"
        if kept is None:
            self.download()
            kept = Path(tempfile.mkdtemp(prefix="oa-licensed-"))
            atexit.register(shutil.rmtree, kept, ignore_errors=True)
            _LICENSED[self.engine.name] = kept
            subprocess.run(["cp", "-a", f"{place}/.", kept], check=True)
        else:
            subprocess.run(["cp", "-a", f"{kept}/.", place], check=True)

    def stop(self, name: str, terminal: Terminal) -> Ran:
        self.engine.run("stop", "--time", "30", name)
        return terminal.ended()

    def close(self) -> None:
        for name, terminal in self.started:
            self.engine.remove(name)
            terminal.close()


def documented(heading: str) -> list[str]:
    """Return the lines for a shell under a heading of the page."""
    part = PAGE.read_text().partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    blocks = re.findall(r"(?m)(?:^    .*\n)+", part)
    return [re.sub(r"(?m)^    ", "", block).strip() for block in blocks]
