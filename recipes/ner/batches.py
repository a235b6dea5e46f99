"""Sentences to the batches of an epoch: shown in their weights, changed, packed, cut and padded."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

import torch
from tokenizers import Tokenizer
from torch import Tensor

from recipes.ner.augment import Names, packed, recased
from recipes.ner.corpora import Sentence
from recipes.ner.encode import IGNORED, Example, encode
from recipes.ner.options import Options

CLS, SEP, MASK = 101, 102, 103
POOL = 3200


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
