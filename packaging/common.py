"""What the parts of the build share."""

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[1]


def run(*words: str, **environ: str) -> str:
    """Run a command and return what it printed; its failure ends the build with its last words."""
    done = subprocess.run(words, capture_output=True, text=True, check=False, env={**os.environ, **environ})
    if done.returncode:
        raise SystemExit(f"{' '.join(words[:6])} …: {(done.stderr or done.stdout)[-2000:]}")
    return done.stdout


def tracked(*under: str) -> list[str]:
    """Return the names of the files in version control below the given folders."""
    return [name for name in run("git", "-C", str(ROOT), "ls-files", "-z", *under).split("\0") if name]
