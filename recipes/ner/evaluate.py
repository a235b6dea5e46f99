"""Score the bundled models as they are served: `python -m recipes.ner.evaluate`.

Texts go through the appliance's own engine, window by window. An entity is right when its two ends and its
kind are those of the gold standard. Recordings are scored as `evaluate_speech` says.
"""

import argparse
import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

from appliance.ner.engine import NerEngine
from appliance.ner.model_folder import ModelFolder
from appliance.ner.queue import Room
from appliance.ner.text_request import requests_for
from recipes.multilingual.corpora import read_multilingual
from recipes.ner.corpora import Sentence, Span, read_corpora, read_file
from recipes.ner.score import Score, scores
from recipes.speech import evaluate as evaluate_speech
from recipes.speech.clips import CORPORA

BUNDLED = Path(__file__).parents[2] / "appliance" / "bundled" / "ner-en"
DATA = (Path("../shared/data/ner"), evaluate_speech.DATA)
AT_ONCE = 64


def held_sets(paths: Sequence[Path], *, languages: bool) -> dict[str, list[Sentence]]:
    """Return texts by name of set: the held-out sets of a corpora folder, or one set per labelled file."""
    read = read_multilingual if languages else read_corpora
    found: dict[str, list[Sentence]] = {}
    for path in paths:
        found.update(read(path).held if path.is_dir() else {path.stem: read_file(path)})
    return found


async def recognize(engine: NerEngine, texts: Sequence[str]) -> list[list[Span]]:
    """Find the entities of each text, in the order given."""
    found: list[list[Span]] = []
    for start in range(0, len(texts), AT_ONCE):
        answers = await engine.recognize(requests_for(texts[start : start + AT_ONCE]))
        found += [
            [Span(entity.start, entity.end, entity.category) for entity in answer] for answer in answers
        ]
    return found


async def evaluate(folder: Path, sets: dict[str, list[Sentence]]) -> dict[str, dict[str, Score]]:
    """Return scores by set and kind (`micro` over all kinds) of the model in `folder`."""
    engine = NerEngine.load(
        ModelFolder.open(folder), sessions=1, room=Room(tokens=1 << 20), batch_tokens=1024
    )
    try:
        return {
            name: scores(
                zip(
                    (item.gold for item in items),
                    await recognize(engine, [item.text for item in items]),
                    strict=True,
                )
            )
            for name, items in sets.items()
        }
    finally:
        await asyncio.to_thread(engine.close, drain=False)


def table(results: dict[str, dict[str, Score]]) -> str:
    """Lay scores out in lines: set, kind, precision, recall, F1 in per cent, and gold entities."""
    lines = [f"{'set':14} {'kind':13} {'precision':>9} {'recall':>7} {'F1':>6} {'gold':>6}"]
    for name, kinds in results.items():
        for kind, score in kinds.items():
            shares = f"{100 * score.precision:9.1f} {100 * score.recall:7.1f} {100 * score.f1:6.1f}"
            lines.append(f"{name:14} {kind:13} {shares} {score.gold:6}")
    return "\n".join([*lines, f"mean F1 of {len(results)} sets: {100 * mean(results):.2f}"])


def mean(results: dict[str, dict[str, Score]]) -> float:
    """Return the mean over sets of F1 over all kinds."""
    return sum(kinds["micro"].f1 for kinds in results.values() if "micro" in kinds) / max(1, len(results))


def speech(path: Path) -> bool:
    """Tell a folder of recordings from corpora of texts."""
    return any((path / corpus / "dev.jsonl").exists() for corpus in CORPORA)


def hears(model: Path) -> bool:
    """Tell the folder of a speech model from one that reads texts."""
    return str(json.loads((model / "model.json").read_text("utf-8")).get("task", "")).startswith("speech")


def shares(results: dict[str, dict[str, Score]]) -> str:
    """Lay scores out as JSON."""
    sets = {
        name: {
            kind: {"precision": score.precision, "recall": score.recall, "f1": score.f1, "gold": score.gold}
            for kind, score in kinds.items()
        }
        for name, kinds in results.items()
    }
    return json.dumps({"sets": sets, "mean_f1": mean(results)}, indent=2)


def main() -> None:
    """Read the options, score, and print a table or JSON for texts and for recordings."""
    parser = argparse.ArgumentParser(prog="python -m recipes.ner.evaluate", description=__doc__)
    parser.add_argument("--model", type=Path, help="model folder (default: the bundled one for the data)")
    parser.add_argument(
        "--data",
        type=Path,
        nargs="+",
        help="corpora folders, of texts or of recordings, or .conll and .jsonl files",
    )
    parser.add_argument(
        "--languages", action="store_true", help="of a folder of texts: the sets in other languages as well"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    chosen = parser.parse_args()
    # Recordings are scored unasked only where a speech model came with the package.
    every = chosen.data or [*DATA[: 1 + evaluate_speech.BUNDLED.is_dir()]]
    if chosen.model and not chosen.data:
        every = [path for path in every if speech(path) == hears(chosen.model)]
    texts = [path for path in every if not speech(path)]
    if texts:
        results = asyncio.run(evaluate(chosen.model or BUNDLED, held_sets(texts, languages=chosen.languages)))
        print(shares(results) if chosen.json else table(results))
    for path in filter(speech, every):
        print(evaluate_speech.report(chosen.model or evaluate_speech.BUNDLED, path, as_json=chosen.json))


if __name__ == "__main__":
    main()
