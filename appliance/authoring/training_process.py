"""The training process, watched: one at a time, cancelled by ending it."""

import asyncio
import contextlib
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

LINE_BYTES: Final = 1 << 22
RESULTS: Final = "results.json"
"""What was labelled and what was found in the test documents, beside the model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingOutcome:
    """How a training ended: `done` is None where it failed, with its reasons in `errors`."""

    done: dict[str, Any] | None
    errors: tuple[dict[str, str], ...] = ()


async def run_training(
    specification: dict[str, Any], progress: Callable[[str, float], None], environ: Mapping[str, str]
) -> TrainingOutcome:
    """Run one training in a process of its own; cancelling this coroutine ends the process.

    Args:
        specification: What `appliance.authoring.training_worker` reads.
        progress: Hears of its progress.
        environ: Environment of the process.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "appliance.authoring.training_worker",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=LINE_BYTES,
        # Small matrices: more than one thread for each would only wait for each other.
        env={"OPENBLAS_NUM_THREADS": "1", **environ},
    )
    try:
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("the training process has no pipes")
        process.stdin.write(json.dumps(specification).encode() + b"\n")
        await process.stdin.drain()
        process.stdin.close()
        last: dict[str, Any] = {}
        while line := await process.stdout.readline():
            last = json.loads(line)
            if "share" in last:
                progress(str(last["step"]), float(last["share"]))
        await process.wait()
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await asyncio.shield(process.wait())
    if "done" in last:
        return TrainingOutcome(done=last["done"])
    if "error" in last:
        return TrainingOutcome(
            done=None,
            errors=tuple(
                {"code": str(last["error"]), "message": str(message)} for message in last["messages"]
            ),
        )
    message = f"The training process ended without an outcome (exit {process.returncode})."
    return TrainingOutcome(done=None, errors=({"code": "InternalServerError", "message": message},))
