"""What each of onnxruntime's rewrites is worth for each bundled graph: processor time with it over without.

    python -m bench graph [GRAPH ...] [--tokens 24] [--seconds 1] [--json]

A session for each rewrite that changes the graph is opened without it, and asked in turn with one that has
them all; inputs are random, one thread. A decoder is asked for its next token after ten others. Above 1 the
rewrite costs more than it gives. Equal answers are not looked at here: that is for the tests of whoever then
leaves a rewrite out.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from appliance.onnx_tools.runtime import open_session
from bench.machine import describe
from bench.ner import BUNDLED

GRAPHS = tuple(sorted(BUNDLED.parent.glob("*/*.onnx")))
TURNS = 9
FRAMES, SAMPLES = 300, 24_000
HEARD, SAID = 150, 10
"""What a decoder is given: positions of the encoder, and tokens that it has said before."""
CACHED, PAST = "use_cache_branch", "past_key_values"
REWRITES = (
    *(
        "AttentionFusion",
        "BiasDropoutFusion",
        "BiasGeluFusion",
        "BiasSkipLayerNormFusion",
        "BiasSoftmaxFusion",
    ),
    *("CastElimination", "CommonSubexpressionElimination", "ConstantFolding", "ConvActivationFusion"),
    *("ConvAddActivationFusion", "ConvAddFusion", "ConvBNFusion", "ConvMulFusion", "DivMulFusion"),
    *("DynamicQuantizeMatMulFusion", "EmbedLayerNormFusion", "ExpandElimination", "FastGeluFusion"),
    *(
        "GatherSliceToSplitFusion",
        "GatherToSliceFusion",
        "GeluFusionL1",
        "GeluFusionL2",
        "GemmActivationFusion",
    ),
    *(
        "GemmSumFusion",
        "GemmTransposeFusion",
        "LayerNormFusionL1",
        "LayerNormFusionL2",
        "MatMulActivationFusion",
    ),
    *("MatMulAddFusion", "MatMulIntegerToFloatFusion", "MatMulScaleFusion", "MatmulTransposeFusion"),
    *("NchwcTransformer", "NhwcTransformer", "NoopElimination", "QuickGeluFusion", "ReshapeFusion"),
    *("SimplifiedLayerNormFusion", "SkipLayerNormFusion", "TransposeOptimizer"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Worth:
    """One rewrite of one graph; medians over the turns.

    Attributes:
        ratio: Processor time with it over that without it.
        milliseconds: Of a call with all rewrites.
    """

    graph: str
    rewrite: str
    ratio: float
    milliseconds: float


def measure(
    graph: Path, *, tokens: int, seconds: float, say: Callable[[str], None] = lambda _: None
) -> list[Worth]:
    """Measure a graph.

    Args:
        graph: Its file.
        tokens: Length of a text.
        seconds: Of each rewrite's turns together.
        say: Told each line.
    """
    data = graph.read_bytes()
    name = f"{graph.parent.name}/{graph.name}"
    whole = open_session(data)
    sizes = _optimised_sizes(data)
    feed = _feed(whole, tokens)
    if CACHED in feed:
        feed = _further_step(whole, feed)
    found = []
    for rewrite in REWRITES:
        if sizes[rewrite] == sizes[""]:
            continue
        less = open_session(data, disabled_optimizers=[rewrite])
        once = min(_seconds(whole, feed, 1) for _ in range(3))
        calls = max(1, int(seconds / 2 / TURNS / once))
        pairs = [(_seconds(whole, feed, calls), _seconds(less, feed, calls)) for _ in range(TURNS)]
        worth = Worth(
            graph=name,
            rewrite=rewrite,
            ratio=round(statistics.median(mine / other for mine, other in pairs), 3),
            milliseconds=round(1000 * statistics.median(mine for mine, _ in pairs) / calls, 3),
        )
        say(f"{name:<45} {rewrite:<32} {worth.ratio:6.3f}  {worth.milliseconds:8.3f} ms")
        found.append(worth)
    return found


def _optimised_sizes(data: bytes) -> dict[str, int]:
    """Return how large the rewritten graph is without each rewrite; without none under the empty name."""
    import onnxruntime  # noqa: PLC0415  (after `open_session` has said that it must reach no network)

    sizes = {}
    with tempfile.TemporaryDirectory() as place:
        for rewrite in ("", *REWRITES):
            options: Any = onnxruntime.SessionOptions()
            options.log_severity_level = 3
            options.optimized_model_filepath = str(Path(place) / "graph.onnx")
            onnxruntime.InferenceSession(
                data,
                options,
                providers=["CPUExecutionProvider"],
                disabled_optimizers=[rewrite] if rewrite else [],
            )
            sizes[rewrite] = (Path(place) / "graph.onnx").stat().st_size
    return sizes


def _feed(session: Any, tokens: int) -> dict[str, Any]:
    """Random inputs of a usual size."""
    rng = np.random.default_rng(7)
    sizes = {
        "tokens": tokens,
        "samples": SAMPLES,
        "num_frames": FRAMES,
        "encoder_sequence_length": HEARD,
        "encoder_memory_length_past": 0,
        "past_decoder_sequence_length": 0,
    }
    feed: dict[str, Any] = {}
    for one in session.get_inputs():
        shape = [size if isinstance(size, int) else sizes.get(size, 1) for size in one.shape]
        if one.type == "tensor(float)":
            feed[one.name] = rng.standard_normal(shape).astype(np.float32)
        elif one.type == "tensor(bool)":
            feed[one.name] = np.zeros(shape, dtype=np.bool_)
        elif one.name == "input_ids":
            feed[one.name] = rng.integers(1000, 8000, shape)
        else:
            feed[one.name] = (
                np.ones(shape, dtype=np.int64) if "mask" in one.name else np.zeros(shape, np.int64)
            )
    return feed


def _further_step(session: Any, feed: dict[str, Any]) -> dict[str, Any]:
    """Return what a decoder is asked most of the time: its next token, with what it remembers."""
    names = [one.name for one in session.get_outputs()]
    begun = feed | {"input_ids": np.full((1, SAID), 1000, dtype=np.int64)}
    remembered = dict(zip(names, session.run(names, begun), strict=True))
    past = {name: remembered[name.replace(PAST, "present")] for name in feed if name.startswith(PAST)}
    return feed | past | {CACHED: np.ones_like(feed[CACHED])}


def _seconds(session: Any, feed: dict[str, Any], calls: int) -> float:
    began = time.thread_time()
    for _ in range(calls):
        session.run(None, feed)
    return time.thread_time() - began


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench graph",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("graphs", nargs="*", type=Path, default=GRAPHS, help="files; all that are bundled")
    parser.add_argument("--tokens", type=int, default=24)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each rewrite")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(words)
    say: Callable[[str], None] = (lambda _: None) if options.json else (lambda line: print(line, flush=True))
    found = [
        worth
        for graph in options.graphs
        for worth in measure(graph, tokens=options.tokens, seconds=options.seconds, say=say)
    ]
    if options.json:
        json.dump([asdict(worth) for worth in found], sys.stdout, indent=2)
        print()
        return
    print(describe())


if __name__ == "__main__":
    main()
