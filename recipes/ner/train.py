"""Fine-tune the encoder on the general corpora: `python -m recipes.ner.train --data DIR --out DIR`."""

import argparse
import copy
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from random import Random

import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional
from torch.optim.lr_scheduler import LambdaLR

from appliance.ner.words import words
from recipes.ner.augment import Names, packed, recased
from recipes.ner.corpora import LABELS, Sentence, Span, read_corpora
from recipes.ner.encode import IGNORED, O_OR_OTHER, Example, encode, read_tokenizer
from recipes.ner.model import OTHERS, NerModel, base_folder, from_base, load, save, served
from recipes.ner.score import best_labels, scores, spans

CLS, SEP, MASK = 101, 102, 103
POOL = 3200


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a run is made of. Shares are of sentences; weights say how often a source is shown per epoch."""

    seed: int = 1
    epochs: float = 4.0
    batch_tokens: int = 1100
    rate: float = 3e-4
    head_rate: float = 1e-3
    weight_decay: float = 0.01
    warm_up: float = 0.08
    swapped: float = 0.25
    lower: float = 0.03
    upper: float = 0.03
    masked: float = 0.04
    packed: float = 0.35
    packed_tweets: float = 0.1
    weights: tuple[tuple[str, float], ...] = (
        ("wikigold", 2.0),
        ("uner-ewt", 2.0),
        ("wnut17", 1.3),
        ("gum-names", 0.8),
    )
    with_others: bool = True
    soft: float = 0.5
    temperature: float = 1.5
    average_from: float = 0.6

    @classmethod
    def plain(cls) -> "Options":
        """Return the first recipe: every sentence as it is, once an epoch, names of other kinds unmarked."""
        return cls(
            swapped=0,
            lower=0,
            upper=0,
            masked=0,
            packed=0,
            packed_tweets=0,
            weights=(),
            with_others=False,
            average_from=1.0,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Padded windows, int64 [windows, tokens] each; targets are IGNORED off the first subwords of words."""

    ids: Tensor
    mask: Tensor
    classes: Tensor
    targets: Tensor


def collate(examples: Sequence[Example]) -> Batch:
    """Pad windows to one length, with [CLS] and [SEP] around each."""
    length = 2 + max(len(example.ids) for example in examples)
    rows: tuple[list[list[int]], ...] = ([], [], [], [])
    for example in examples:
        pad = [0] * (length - 2 - len(example.ids))
        rows[0].append([CLS, *example.ids, SEP, *pad])
        rows[1].append([1] * (len(example.ids) + 2) + pad)
        rows[2].append([0, *example.classes, 0, *pad])
        rows[3].append([IGNORED, *example.targets, IGNORED, *[IGNORED] * len(pad)])
    ids, mask, classes, targets = (torch.tensor(row) for row in rows)
    return Batch(ids=ids, mask=mask, classes=classes, targets=targets)


def epoch(sentences: Sequence[Sentence], names: Names, options: Options, random: Random) -> list[Sentence]:
    """One epoch's texts: sources in their weights, then changed, then packed with their neighbours."""
    weights = dict(options.weights)
    shown: list[Sentence] = []
    again: list[Sentence] = []  # second copies, far from the first so that they are not packed together
    for item in sentences:
        weight = weights.get(item.source, 1.0)
        times = int(weight) + (random.random() < weight % 1)
        shown += [item] * (times > 0)
        again += [item] * (times - 1)
    changed: list[Sentence] = []
    for item in [*shown, *again]:
        chance = random.random()
        if chance < options.lower:
            changed.append(recased(item, upper=False))
        elif chance < options.lower + options.upper:
            changed.append(recased(item, upper=True))
        elif item.spans and random.random() < options.swapped:
            changed.append(names.swapped(item, random))
        else:
            changed.append(item)
    tweets = [item for item in changed if item.source in ("btc", "wnut17")]
    others = [item for item in changed if item.source not in ("btc", "wnut17")]
    return [*packed(tweets, random, options.packed_tweets), *packed(others, random, options.packed)]


def batches(examples: list[Example], tokens: int, random: Random) -> Iterator[Batch]:
    """Cut shuffled windows into batches of about so many tokens, of similar lengths each."""
    random.shuffle(examples)
    cut: list[list[Example]] = []
    for start in range(0, len(examples), POOL):
        longest = 0
        for example in sorted(examples[start : start + POOL], key=lambda item: -len(item.ids)):
            if not longest or (len(cut[-1]) + 1) * longest > tokens:
                cut.append([])
                longest = len(example.ids) + 2
            cut[-1].append(example)
    random.shuffle(cut)
    return map(collate, cut)


def epoch_batches(
    sentences: Sequence[Sentence], names: Names, tokenizer: Tokenizer, options: Options, random: Random
) -> list[Batch]:
    """Return one epoch's batches."""
    shown = epoch(sentences, names, options, random)
    examples = [w for item in shown for w in encode(item, tokenizer, with_others=options.with_others)]
    return list(batches(examples, options.batch_tokens, random))


def masked(ids: Tensor, share: float) -> Tensor:
    """Return token ids with a share of them hidden by [MASK]; special tokens stay."""
    return ids.masked_fill((torch.rand(ids.shape) < share) & (ids > MASK), MASK)


def losses(logits: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy of each target; where a name of another kind is possible, O and that are one label."""
    chances = functional.log_softmax(logits, dim=-1)
    either = torch.logsumexp(chances[..., OTHERS], dim=-1, keepdim=True)
    return functional.nll_loss(torch.cat([chances, either], dim=-1), targets, reduction="none")


def predict(model: NerModel, tokenizer: Tokenizer, sentences: Sequence[Sentence]) -> list[list[Span]]:
    """Find the entities of each sentence in float32, for choices made while training."""
    model.eval()
    found: list[list[Span]] = []
    with torch.no_grad():
        for start in range(0, len(sentences), 32):
            part = sentences[start : start + 32]
            windows = [list(encode(item, tokenizer)) for item in part]
            flat = [window for item in windows for window in item]
            batch = collate(flat)
            logits = served(model(batch.ids, batch.mask, batch.classes)).numpy()
            rows = iter(zip(flat, logits, strict=True))
            for item, cut in zip(part, windows, strict=True):
                numbers: list[int] = []
                for _ in cut:
                    window, row = next(rows)
                    firsts = [1 + place for place, target in enumerate(window.targets) if target != IGNORED]
                    numbers += best_labels(row[firsts])
                places = [
                    (w.start, w.end) for w in words(tokenizer.encode(item.text, add_special_tokens=False))
                ]
                found.append(spans(numbers, places[: len(numbers)]))
    return found


def f1_by_set(model: NerModel, tokenizer: Tokenizer, sets: dict[str, list[Sentence]]) -> dict[str, float]:
    """Entity-level micro F1 per set in per cent, and their mean."""
    result = {}
    for name, items in sets.items():
        pairs = zip((item.gold for item in items), predict(model, tokenizer, items), strict=True)
        result[name] = round(100 * scores(pairs)["micro"].f1, 2)
    return {**result, "mean": round(sum(result.values()) / len(result), 2)}


def by_source(sentences: Sequence[Sentence]) -> dict[str, list[Sentence]]:
    """Group sentences by their source."""
    found: dict[str, list[Sentence]] = {}
    for item in sentences:
        found.setdefault(item.source, []).append(item)
    return found


def groups(model: NerModel, options: Options) -> list[dict[str, object]]:
    """Parameters with their learning rates: the head and the table of case classes learn faster."""
    fast = ("head", "token_type")
    named = list(model.named_parameters())
    found: list[dict[str, object]] = []
    for rate, quick in ((options.rate, False), (options.head_rate, True)):
        for decay in (True, False):
            chosen = [p for n, p in named if any(f in n for f in fast) == quick and (p.dim() > 1) == decay]
            found.append(
                {"params": chosen, "lr": rate, "weight_decay": options.weight_decay if decay else 0.0}
            )
    return found


def train(
    model: NerModel,
    tokenizer: Tokenizer,
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
    optimizer = torch.optim.AdamW(groups(model, options), fused=True)
    per_epoch = None
    schedule = None
    average: NerModel | None = None
    count_averaged = step = 0
    total = 1
    began = time.monotonic()
    for number in range(int(-(-options.epochs // 1))):
        cut = epoch_batches(sentences, names, tokenizer, options, random)
        if per_epoch is None:
            per_epoch = len(cut)
            total = int(per_epoch * options.epochs)
            schedule = LambdaLR(optimizer, partial(rate_at, total=total, warm_up=options.warm_up))
        model.train()
        running = 0.0
        for count, batch in enumerate(cut, 1):
            if step >= total:
                break
            ids = masked(batch.ids, options.masked) if options.masked else batch.ids
            at = batch.targets != IGNORED
            logits = model(ids, batch.mask, batch.classes)[at]
            loss = losses(logits, batch.targets[at]).mean()
            if teachers:
                soft = _soft(teachers, batch)[at]
                loss = (1 - options.soft) * loss + options.soft * distance(
                    served(logits), soft, options.temperature
                )
            loss.backward()  # type: ignore[no-untyped-call, unused-ignore]
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            assert schedule is not None
            schedule.step()
            step += 1
            running += float(loss.detach())
            if step >= options.average_from * total:
                count_averaged += 1
                average = averaged(average, model, count_averaged)
            if count % 50 == 0:
                seconds = time.monotonic() - began
                print(
                    f"{seconds:7.0f} s  epoch {number + 1}  {count}/{len(cut)}  loss {running / 50:.4f}",
                    flush=True,
                )
                running = 0.0
        save(model, out / "last.pt")
        print(
            json.dumps({"epoch": number + 1, "tune": f1_by_set(model, tokenizer, by_source(tune))}),
            flush=True,
        )
    final = average or model
    save(final, out / "model.pt")
    print(json.dumps({"final": True, "tune": f1_by_set(final, tokenizer, by_source(tune))}), flush=True)
    return final


def rate_at(at: int, total: int, warm_up: float) -> float:
    """Return the share of the learning rate at a step: it rises for a while, then falls to nothing."""
    rising = max(1, int(total * warm_up))
    return at / rising if at < rising else max(0.0, (total - at) / max(1, total - rising))


def _soft(teachers: Sequence[NerModel], batch: Batch) -> Tensor:
    with torch.no_grad():
        answers = [served(teacher(batch.ids, batch.mask, batch.classes)) for teacher in teachers]
        return torch.stack([functional.log_softmax(answer, dim=-1) for answer in answers]).mean(dim=0)


def distance(logits: Tensor, soft: Tensor, temperature: float) -> Tensor:
    """Return the cross-entropy of scores against those of a teacher, both softened."""
    wanted = functional.softmax(soft / temperature, dim=-1)
    ours = functional.log_softmax(logits / temperature, dim=-1)
    return -(wanted * ours).sum(dim=-1).mean() * temperature**2


def averaged(average: NerModel | None, model: NerModel, count: int) -> NerModel:
    """Return the mean of `count` models, the last of which is `model`, from that of those before it."""
    if average is None:
        first: NerModel = copy.deepcopy(model).eval()
        return first
    with torch.no_grad():
        for mean, value in zip(average.parameters(), model.parameters(), strict=True):
            mean.lerp_(value, 1 / count)
    return average


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
    parser.add_argument("--threads", type=int, default=1)
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    options = Options.plain() if chosen.plain else Options()
    changes = {name: json.loads(value) for name, _, value in (item.partition("=") for item in chosen.set)}
    options = replace(options, **changes)
    chosen.out.mkdir(parents=True, exist_ok=True)
    corpora = read_corpora(chosen.data)
    tokenizer = read_tokenizer(base_folder())
    torch.manual_seed(options.seed)
    model = load(chosen.start) if chosen.start else from_base(base_folder())
    teachers = [load(path).eval() for path in chosen.teacher]
    print(
        json.dumps({"options": asdict(options), "train": len(corpora.train), "labels": LABELS[:O_OR_OTHER]})
    )
    final = train(model, tokenizer, corpora.train, corpora.tune, options, chosen.out, teachers)
    figures = f1_by_set(final, tokenizer, corpora.held)
    (chosen.out / "figures.json").write_text(
        json.dumps({"options": asdict(options), "held": figures}, indent=2) + "\n"
    )
    print(json.dumps({"held": figures}))


if __name__ == "__main__":
    main()
