"""Trying a model on one sentence in a separate process, so that a hang or a crash does no harm.

The sentence is fixed: nothing here asks a licence or counts, so nothing of the caller's is answered.

python -m appliance.registry.smoke_test FOLDER        one JSON object on standard output
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from appliance.errors import ApplianceError, ModelError
from appliance.ner.engine import NerEngine
from appliance.ner.model_folder import ModelFolder
from appliance.registry.families import family_of

SENTENCE: Final = "Ada Lovelace of Acme Corp. wrote to Charles Babbage in London on 5 June 1843 about $200."
SECONDS: Final = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a model said.

    Attributes:
        family: Name of its family.
        tested: Whether the family is one of those compared with transformers.
        sentence: What it was asked.
        found: Text, category and confidence of each entity.
    """

    family: str
    tested: bool
    sentence: str
    found: tuple[tuple[str, str, float], ...]


def try_folder(path: Path, *, seconds: float = SECONDS) -> Outcome:
    """Load the model in a folder and ask it the sentence, in another process.

    Raises:
        ModelError: It cannot be loaded, fails, crashes, or does not answer in time.
    """
    command = [sys.executable, "-m", "appliance.registry.smoke_test", str(path)]
    try:
        completed = subprocess.run(  # noqa: S603 (this program itself)
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired:
        raise ModelError(f"the model did not answer one sentence within {seconds:.0f} seconds") from None
    try:
        reply: dict[str, Any] = json.loads(completed.stdout)
    except ValueError:
        how = (
            f"signal {-completed.returncode}"
            if completed.returncode < 0
            else f"exit code {completed.returncode}"
        )
        raise ModelError(
            f"the model crashed the process that tried it ({how})",
            hint="export it again with standard operators; it is not served",
        ) from None
    if "error" in reply:
        raise ModelError(str(reply["error"]), hint=str(reply.get("hint", "")))
    entities = tuple((str(text), str(category), float(score)) for text, category, score in reply["found"])
    return Outcome(family=reply["family"], tested=reply["tested"], sentence=SENTENCE, found=entities)


def try_here(folder: ModelFolder) -> Outcome:
    """Load a checked model in this process and ask it the sentence.

    Raises:
        ModelError, ApplianceError: It cannot be loaded, or fails.
    """
    family = family_of(folder)
    engine = NerEngine.load(folder, sessions=1)
    try:
        (entities,) = asyncio.run(engine.recognize([SENTENCE]))
    finally:
        engine.close(drain=False)
    found = tuple((SENTENCE[e.start : e.end], e.category, e.score) for e in entities)
    return Outcome(family=family.name, tested=family.tested, sentence=SENTENCE, found=found)


def main(arguments: Sequence[str]) -> int:
    """Try the folder that the first argument names."""
    try:
        outcome = try_here(ModelFolder.open(Path(arguments[0])))
        reply: dict[str, Any] = {
            "family": outcome.family,
            "tested": outcome.tested,
            "found": outcome.found,
        }
    except ApplianceError as error:
        reply = {"error": error.message, "hint": error.hint}
    except BaseException as error:  # a panic inside the Rust library is no Exception
        reply = {"error": f"the model cannot be used: {type(error).__name__}: {error}"[:500]}
    sys.stdout.write(json.dumps(reply))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
