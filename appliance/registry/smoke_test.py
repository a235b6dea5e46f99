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

import numpy as np

from appliance.errors import ApplianceError, ModelError
from appliance.ner.engine import NerEngine
from appliance.ner.model_folder import MODEL, ModelFolder
from appliance.ner.session import OnnxSession
from appliance.ner.text_request import TextRequest
from appliance.ner.tokenizer import tokenizer_of
from appliance.registry.families import family_of

SENTENCE: Final = "Ada Lovelace of Acme Corp. wrote to Charles Babbage in London on 5 June 1843 about $200."
SHORT: Final = "Ada Lovelace wrote."
SECONDS: Final = 120.0
ALIKE: Final = 1e-3
"""Difference of scores, as a share of the largest, that rounding explains."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a model said.

    Attributes:
        family: Name of its family.
        tested: Whether the family is one of those compared with transformers.
        sentence: What it was asked.
        found: Text, category and confidence of each entity.
        alone: Whether a text must be computed alone: its answer changed when a longer one shared its batch.
    """

    family: str
    tested: bool
    sentence: str
    found: tuple[tuple[str, str, float], ...]
    alone: bool = False


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
    return Outcome(
        family=reply["family"],
        tested=reply["tested"],
        sentence=SENTENCE,
        found=entities,
        alone=reply["alone"],
    )


def try_here(folder: ModelFolder) -> Outcome:
    """Load a checked model in this process and ask it the sentence.

    Raises:
        ModelError, ApplianceError: It cannot be loaded, or fails.
    """
    family = family_of(folder)
    engine = NerEngine.load(folder, sessions=1)
    try:
        (entities,) = asyncio.run(engine.recognize([TextRequest(SENTENCE)]))
    finally:
        engine.close(drain=False)
    found = tuple((SENTENCE[e.start : e.end], e.category, e.score) for e in entities)
    alone = not folder.batch_invariant or _depends_on_padding(folder)
    return Outcome(family=family.name, tested=family.tested, sentence=SENTENCE, found=found, alone=alone)


def _depends_on_padding(folder: ModelFolder) -> bool:
    """Compute a short text alone, and beside a longer one: the same words must have the same scores."""
    session = OnnxSession(folder.read(MODEL), labels=len(folder.labels))
    if session.one_row:
        return True
    tokenizer = tokenizer_of(folder)
    windows = [window for document in tokenizer.cut([SHORT, SENTENCE]) for window in document.windows[:1]]
    if len(windows) < 2:
        return False
    size = max(len(window.ids) for window in windows)
    ids = np.full((2, size), folder.pad_token, np.int64)
    mask, types = np.zeros_like(ids), np.zeros_like(ids)
    for row, window in enumerate(windows):
        ids[row, : len(window.ids)], mask[row, : len(window.ids)] = window.ids, 1
        if window.types is not None:
            types[row, : len(window.ids)] = window.types
    # Only words are answered; a head that reads the next token sees padding from the closing mark.
    own, words = len(windows[0].ids), windows[0].positions
    together = session.run(ids, mask, types)[0, words]
    by_itself = session.run(ids[:1, :own], mask[:1, :own], types[:1, :own])[0, words]
    return bool(np.abs(together - by_itself).max() > ALIKE * max(1.0, float(np.abs(by_itself).max())))


def main(arguments: Sequence[str]) -> int:
    """Try the folder that the first argument names."""
    try:
        outcome = try_here(ModelFolder.open(Path(arguments[0])))
        reply: dict[str, Any] = {
            "family": outcome.family,
            "tested": outcome.tested,
            "found": outcome.found,
            "alone": outcome.alone,
        }
    except ApplianceError as error:
        reply = {"error": error.message, "hint": error.hint}
    except BaseException as error:  # a panic inside the Rust library is no Exception
        reply = {"error": f"the model cannot be used: {type(error).__name__}: {error}"[:500]}
    sys.stdout.write(json.dumps(reply))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
