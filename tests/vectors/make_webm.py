"""Make `tests/vectors/webm`: recordings as Chromium's MediaRecorder and as ffmpeg write them.

Needs chromium and ffmpeg (Debian: apt-get install chromium ffmpeg), and takes some seconds, since a browser
records in the time that the sound takes:

    PYTHONPATH=. python tests/vectors/make_webm.py
"""

import subprocess
import tempfile
from pathlib import Path
from typing import Final

from tests.support.browser import Page, driving
from tests.support.dictation import RATE, amiable
from tests.support.paths import ROOT
from tests.support.recorder import record

HERE: Final = Path(__file__).parent / "webm"
START: Final = ROOT / "tests/unit/speech/recordings/start.opus"


async def browser(page: Page) -> None:
    """Somebody reads a sentence into a browser, which gives it in pieces of a second."""
    recorded = await record(page, amiable(), RATE, slice_ms=1_000, audioBitsPerSecond=24_000)
    (HERE / "chromium.webm").write_bytes(recorded)


def ffmpeg(name: str, *options: str) -> None:
    """One word, brought into a container by ffmpeg."""
    command = ["ffmpeg", "-loglevel", "error", "-y", "-i", str(START), "-fflags", "+bitexact"]
    subprocess.run([*command, *options, str(HERE / name)], check=True)


def main() -> None:
    """Make them all."""
    HERE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as profile, driving(Path(profile)) as drive:
        drive(browser)
    ffmpeg("ffmpeg.webm", "-c", "copy")
    ffmpeg("ffmpeg-live.webm", "-c", "copy", "-live", "1")
    ffmpeg("ffmpeg-vorbis.webm", "-c:a", "libvorbis", "-b:a", "32k", "-t", "0.2")


if __name__ == "__main__":
    main()
