"""Draws the curves of `bench.scaling` from standard input into a directory, one SVG each.

Runs in the environment of `requirements.txt`, so it imports nothing of this repository.
"""

import json
import sys
from pathlib import Path

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt
from matplotlib.ticker import FuncFormatter

matplotlib.rcParams.update(
    {"svg.hashsalt": "bench", "svg.fonttype": "none", "font.size": 9, "axes.grid": True, "grid.alpha": 0.3}
)


def short(value: float, _: int = 0) -> str:
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"


report = json.load(sys.stdin)
for curve in report["curves"]:
    figure, axes = plt.subplots(figsize=(5.2, 2.9))
    many = max(curve["values"]) / max(1, min(curve["values"])) > 50
    for (name, found), style in zip(curve["series"].items(), ("o-", "s--", "^:"), strict=False):
        axes.plot(curve["values"], found, style, label=name, markersize=4)
    if many:
        if 0 in curve["values"]:
            axes.set_xscale("symlog", linthresh=5e3)
        else:
            axes.set_xscale("log")
        axes.set_xticks(curve["values"])
        axes.minorticks_off()
    else:
        axes.set_xticks(curve["values"])
    axes.xaxis.set_major_formatter(FuncFormatter(short))
    axes.yaxis.set_major_formatter(FuncFormatter(short))
    axes.set_ylim(bottom=0)
    axes.set_xlabel(curve["x"])
    axes.set_ylabel(curve["unit"])
    if len(curve["series"]) > 1:
        axes.legend(frameon=False)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    figure.tight_layout()
    figure.savefig(Path(sys.argv[1]) / f"{curve['name']}.svg", metadata={"Date": None})
    plt.close(figure)
