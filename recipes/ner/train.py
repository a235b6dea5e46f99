"""Fine-tune the encoder on the general corpora: `python -m recipes.ner.train --data DIR --out DIR`."""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from random import Random

import torch
from torch import Tensor
from torch.nn import functional

from recipes.multilingual.corpora import read_multilingual
from recipes.ner.augment import Names
from recipes.ner.batches import Batch, collate, epoch_batches, masked
from recipes.ner.corpora import LABELS, Sentence, Span, read_corpora
from recipes.ner.encode import IGNORED, O_OR_OTHER, encode
from recipes.ner.fit import distance, fit, groups, losses
from recipes.ner.model import NerModel, base_folder, from_base, load, save, served
from recipes.ner.options import Options
from recipes.ner.score import best_labels, scores, spans
from recipes.ner.vocabulary import Vocabulary, read_vocabulary, show_borders


def predict(model: NerModel, vocabulary: Vocabulary, sentences: Sequence[Sentence]) -> list[list[Span]]:
    """Find the entities of each sentence in float32, for choices made while training."""
    model.eval()
    found: list[list[Span]] = []
    with torch.no_grad():
        for start in range(0, len(sentences), 32):
            part = sentences[start : start + 32]
            windows = [list(encode(item, vocabulary)) for item in part]
            flat = [window for item in windows for window in item]
            batch = collate(flat, vocabulary)
            logits = served(model(batch.ids, batch.mask, batch.classes)).numpy()
            rows = iter(zip(flat, logits, strict=True))
            for item, cut in zip(part, windows, strict=True):
                numbers: list[int] = []
                for _ in cut:
                    window, row = next(rows)
                    firsts = [1 + place for place, target in enumerate(window.targets) if target != IGNORED]
                    numbers += best_labels(row[firsts])
                places = [
                    (word.start, word.end)
                    for word in vocabulary.words(item.text, vocabulary.encode(item.text))
                ]
                found.append(spans(numbers, places[: len(numbers)]))
    return found


def f1_by_set(model: NerModel, vocabulary: Vocabulary, sets: dict[str, list[Sentence]]) -> dict[str, float]:
    """Entity-level micro F1 per set in per cent, and their mean."""
    result = {}
    for name, items in sets.items():
        pairs = zip((item.gold for item in items), predict(model, vocabulary, items), strict=True)
        result[name] = round(100 * scores(pairs)["micro"].f1, 2)
    return {**result, "mean": round(sum(result.values()) / len(result), 2)}


def by_source(sentences: Sequence[Sentence]) -> dict[str, list[Sentence]]:
    """Group sentences by their source."""
    found: dict[str, list[Sentence]] = {}
    for item in sentences:
        found.setdefault(item.source, []).append(item)
    return found


def train(
    model: NerModel,
    vocabulary: Vocabulary,
    sentences: Sequence[Sentence],
    tune: Sequence[Sentence],
    options: Options,
    out: Path,
    teachers: Sequence[NerModel] = (),
) -> NerModel:
    """Fit the model; write `last.pt` after each epoch, and the average of the last steps as `model.pt`."""
    random = Random(options.seed)  # noqa: S311
    torch.manual_seed(options.seed)
    names = Names(sentences)

    def loss_of(_: int, batch: Batch) -> Tensor:
        ids = masked(batch.ids, options.masked, vocabulary) if options.masked else batch.ids
        at = batch.targets != IGNORED
        logits = model(ids, batch.mask, batch.classes)[at]
        loss = losses(logits, batch.targets[at]).mean()
        if teachers:
            soft = _soft(teachers, batch)[at]
            loss = (1 - options.soft) * loss + options.soft * distance(
                served(logits), soft, options.temperature
            )
        return loss

    def epoch_done(number: int) -> None:
        save(model, out / "last.pt")
        print(
            json.dumps({"epoch": number, "tune": f1_by_set(model, vocabulary, by_source(tune))}), flush=True
        )

    final = fit(
        model,
        groups(model, options),
        lambda: epoch_batches(sentences, names, vocabulary, options, random),
        loss_of,
        epochs=options.epochs,
        warm_up=options.warm_up,
        average_from=options.average_from,
        report=(50, lambda progress, loss: print(f"{progress}  loss {loss:.4f}", flush=True)),
        epoch_done=epoch_done,
    )
    save(final, out / "model.pt")
    print(json.dumps({"final": True, "tune": f1_by_set(final, vocabulary, by_source(tune))}), flush=True)
    return final


def _soft(teachers: Sequence[NerModel], batch: Batch) -> Tensor:
    with torch.no_grad():
        answers = [served(teacher(batch.ids, batch.mask, batch.classes)) for teacher in teachers]
        return torch.stack([functional.log_softmax(answer, dim=-1) for answer in answers]).mean(dim=0)


def main() -> None:
    """Read the options, train, and print the scores on the held-out sets."""
    parser = argparse.ArgumentParser(prog="python -m recipes.ner.train", description=__doc__)
    parser.add_argument(
        "--data", type=Path, required=True, help="folder with general/ and general-sharealike/"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for weights and figures")
    parser.add_argument("--plain", action="store_true", help="the first recipe, to compare with")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="change an option, in JSON"
    )
    parser.add_argument(
        "--teacher", type=Path, action="append", default=[], help="a model.pt to learn from as well"
    )
    parser.add_argument("--start", type=Path, help="a model.pt to start from, not the pretrained encoder")
    parser.add_argument("--base", type=Path, help="folder of a pretrained encoder of many languages")
    parser.add_argument("--threads", type=int, default=1)
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    options = Options.plain() if chosen.plain else Options()
    changes = {name: json.loads(value) for name, _, value in (item.partition("=") for item in chosen.set)}
    options = replace(options, **changes)
    chosen.out.mkdir(parents=True, exist_ok=True)
    corpora = read_multilingual(chosen.data) if chosen.base else read_corpora(chosen.data)
    base = chosen.base or base_folder()
    vocabulary = read_vocabulary(base)
    if chosen.base:
        show_borders(vocabulary)
    torch.manual_seed(options.seed)
    model = load(chosen.start) if chosen.start else from_base(base, cased=vocabulary.cased)
    teachers = [load(path).eval() for path in chosen.teacher]
    print(
        json.dumps({"options": asdict(options), "train": len(corpora.train), "labels": LABELS[:O_OR_OTHER]})
    )
    final = train(model, vocabulary, corpora.train, corpora.tune, options, chosen.out, teachers)
    figures = f1_by_set(final, vocabulary, corpora.held)
    (chosen.out / "figures.json").write_text(
        json.dumps({"options": asdict(options), "held": figures}, indent=2) + "\n"
    )
    print(json.dumps({"held": figures}))


if __name__ == "__main__":
    main()
