"""What those beside `appliance train` are told, and how they tell what came out."""

import argparse
import json
from pathlib import Path

from appliance.training.evaluation.scoring import Counts


def parser_of(name: str, description: str | None) -> argparse.ArgumentParser:
    """Return the options that each has."""
    parser = argparse.ArgumentParser(prog=f"python -m bench {name}", description=description)
    parser.add_argument("project", type=Path)
    parser.add_argument("--documents", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1, help="of starting weights and order")
    parser.add_argument("--json", action="store_true")
    return parser


def tell(title: str, micro: Counts, how: str, seconds: float, *, as_json: bool) -> None:
    """Print F1 on the test documents, and the processor seconds of the training."""
    if as_json:
        print(json.dumps({"f1": micro.f1, "support": micro.labelled, "cpu_seconds": round(seconds, 1)}))
        return
    print(
        f"{title}: F1 {100 * micro.f1:.1f} on {micro.labelled} entities ({how}),"
        f" {seconds:.0f} processor seconds"
    )
