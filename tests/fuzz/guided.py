"""Coverage-guided fuzzing of one target: `python -m tests.fuzz.guided NAME SECONDS KEPT`, needs atheris."""

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["appliance", "license", "tests.support"]):
    from tests.fuzz.targets import CORPUS, TARGETS


def _escaped(word: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word)


def main(name: str, seconds: str, kept: str) -> None:
    """Fuzz until the time is over, or until something is found: its input is then written into `kept`."""
    target = TARGETS[name]
    words = Path(kept) / "words.dict"
    words.write_text("".join(f'"{_escaped(word)}"\n' for word in target.words))
    found = Path(kept) / "corpus"
    found.mkdir(exist_ok=True)
    options = [
        f"-max_total_time={seconds}",
        "-max_len=65536",
        "-timeout=20",
        "-rss_limit_mb=2048",
        f"-artifact_prefix={kept}/",
        f"-dict={words}",
        "-print_final_stats=1",
    ]
    atheris.Setup([sys.argv[0], *options, str(found), str(CORPUS / name)], target.run)
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
