"""Sentences to the batches of an epoch: shown in their weights, changed, packed, cut and padded."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

import torch
from torch import Tensor

from recipes.ner.augment import Names, decorated, packed, recased, written
from recipes.ner.corpora import Sentence
from recipes.ner.encode import IGNORED, Example, encode
from recipes.ner.options import Options
from recipes.ner.vocabulary import Vocabulary

POOL = 3200


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Padded windows, int64 [windows, tokens] each; targets are IGNORED off the first subwords of words."""

    ids: Tensor
    mask: Tensor
    classes: Tensor
    targets: Tensor


def collate(examples: Sequence[Example], vocabulary: Vocabulary) -> Batch:
    """Pad windows to one length, with the special tokens around each."""
    length = 2 + max(len(example.ids) for example in examples)
    rows: tuple[list[list[int]], ...] = ([], [], [], [])
    for example in examples:
        pad = [0] * (length - 2 - len(example.ids))
        rows[0].append([vocabulary.begin, *example.ids, vocabulary.end, *[vocabulary.padding] * len(pad)])
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
    lists: list[Sentence] = []
    for one in [*shown, *again]:
        if random.random() < options.listed:
            lists.append(names.listed(one.source, random))
        item = written(one) if random.random() < options.written else one
        item = decorated(item, random) if random.random() < options.decorated else item
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
    windows = [*packed(tweets, random, options.packed_tweets), *packed(others, random, options.packed)]
    return [*windows, *lists]


def batches(examples: list[Example], tokens: int, random: Random, vocabulary: Vocabulary) -> Iterator[Batch]:
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
    return (collate(part, vocabulary) for part in cut)


def epoch_batches(
    sentences: Sequence[Sentence], names: Names, vocabulary: Vocabulary, options: Options, random: Random
) -> list[Batch]:
    """Return one epoch's batches."""
    shown = epoch(sentences, names, options, random)
    examples = [w for item in shown for w in encode(item, vocabulary, with_others=options.with_others)]
    return list(batches(examples, options.batch_tokens, random, vocabulary))


def masked(ids: Tensor, share: float, vocabulary: Vocabulary) -> Tensor:
    """Return token ids with a share of them hidden by the mask; special tokens stay."""
    special = torch.isin(ids, torch.tensor(vocabulary.special))
    return ids.masked_fill((torch.rand(ids.shape) < share) & ~special, vocabulary.mask)
