"""The machine in words, turns that alternate, and how a median is shown."""

import os
import platform
import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import onnxruntime

from appliance.host.cpus import usable_cores
from appliance.ner.calibration import processor

Measured = TypeVar("Measured")
Side = TypeVar("Side")


def describe() -> str:
    """Processor, cores, memory, load and versions, in one line."""
    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    flags = next((line for line in lines if line.startswith("flags")), "").split()
    vector = next(
        (name for name in ("avx512_vnni", "avx512f", "avx_vnni", "avx2") if name in flags), "no avx2"
    )
    memory = int(Path("/proc/meminfo").read_text("utf-8").split()[1]) // 1024
    return (
        f"{processor()} ({vector}), {usable_cores()} cores, {memory} MiB,"
        f" Python {platform.python_version()}, onnxruntime {onnxruntime.__version__},"
        f" load {os.getloadavg()[0]:.1f}"
    )


def alternate(
    sides: Mapping[Side, Callable[[], Measured]], turns: int, *, each: Callable[[Side, Measured], None]
) -> dict[Side, list[Measured]]:
    """Measure sides in turn, A B C A B C, so that a change of the machine's mood meets them all.

    Args:
        sides: What to measure.
        turns: How often each.
        each: Told every measurement as it is made.
    """
    found: dict[Side, list[Measured]] = {name: [] for name in sides}
    for _ in range(turns):
        for name, measure in sides.items():
            value = measure()
            found[name].append(value)
            each(name, value)
    return found


def shown(values: Sequence[float], unit: str) -> str:
    """Return the median with its spread: `412.0 texts/s (398.1 to 420.3)`."""
    return f"{statistics.median(values):.1f} {unit} ({min(values):.1f} to {max(values):.1f})"


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Return the median of the ratios of neighbours in time."""
    return round(statistics.median(a / b for a, b in zip(ours, theirs, strict=True)), 3)
