"""Train the speech model: `python -m recipes.speech.train --data DIR --out DIR`."""

import argparse
import copy
import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from appliance.speech.evaluation.word_errors import compared
from recipes.speech.clips import RATE, Clip, Wave, read_training
from recipes.speech.layout import BLANK, SPACE, VOCABULARY, Shape, mel_matrix
from recipes.speech.mix import Drawer, Shares, Sources
from recipes.speech.model import SpeechModel, load, save
from recipes.speech.synthetic_voices import kept, synthetic

NUMBERS = {label: number for number, label in enumerate(VOCABULARY)}
WARPS = np.linspace(0.86, 1.16, 31)
UNWARPED = 14
SETTLING = 60
"""Steps in which a run, or one continued, reaches its learning rate: its optimizer knows no gradients yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a run is made of; times in seconds."""

    seed: int = 1
    minutes: float = 80.0
    batch_seconds: float = 28.0
    pool: int = 96
    rate: float = 1.5e-3
    last_rate: float = 2e-5
    weight_decay: float = 0.02
    warm_up: float = 0.03
    gentle: float = 0.07
    tap: float = 0.3
    average: float = 0.998
    warped: float = 0.6
    stretched: float = 0.4
    hidden_bands: int = 7
    hidden_frames: int = 8
    synthetic: int = 3000


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Waves [batch, samples] with their lengths, and label numbers one after the other with their lengths."""

    waves: Tensor
    lengths: Tensor
    targets: Tensor
    target_lengths: Tensor


def numbers(text: str) -> list[int]:
    """Return the labels of a text."""
    return [SPACE if letter == " " else NUMBERS[letter] for letter in text]


def collate(examples: Sequence[tuple[Wave, str]]) -> Batch:
    """Pad waves with silence to one length."""
    longest = max(len(wave) for wave, _ in examples)
    waves = np.zeros((len(examples), longest), np.float32)
    for row, (wave, _) in zip(waves, examples, strict=True):
        row[: len(wave)] = wave
    targets = [numbers(text) for _, text in examples]
    return Batch(
        waves=torch.from_numpy(waves),
        lengths=torch.tensor([len(wave) for wave, _ in examples]),
        targets=torch.tensor([number for target in targets for number in target], dtype=torch.long),
        target_lengths=torch.tensor([len(target) for target in targets]),
    )


def batches(
    drawer: Drawer, options: Options, random: np.random.Generator, share: Callable[[], float]
) -> Iterator[Batch]:
    """Draw examples until the time is over, in batches of alike lengths and about `batch_seconds`.

    They are little changed while `share` of the time is below `gentle`: CTC finds its first labels sooner.
    """
    fresh: list[tuple[Wave, str]] = []
    while share() < 1:
        gentle = share() < options.gentle
        # Each is shown twice, with other filters and stripes: drawing costs a sixth of the time.
        shown, fresh = fresh, [drawer.draw(random, gentle=gentle) for _ in range(options.pool // 2)]
        pool = sorted(
            (item for item in [*shown, *fresh] if len(item[0]) > RATE // 5), key=lambda item: len(item[0])
        )
        cut: list[list[tuple[Wave, str]]] = [[]]
        for item in pool:
            if cut[-1] and (len(cut[-1]) + 1) * len(item[0]) > options.batch_seconds * RATE:
                cut.append([])
            cut[-1].append(item)
        for place in random.permutation(len(cut)):
            yield collate(cut[place])


def features(model: SpeechModel, batch: Batch, options: Options, random: np.random.Generator) -> Tensor:
    """Log-mel bands of a batch; of many recordings warped in frequency, and the whole batch in time."""
    count = len(batch.waves)
    chosen = random.integers(0, len(FILTERS), count)
    warps = np.where(random.random(count) < options.warped, chosen, UNWARPED)
    with torch.no_grad():
        bands: Tensor = model.mel(batch.waves, FILTERS[torch.from_numpy(warps)])
        if random.random() < options.stretched:
            factor = random.uniform(0.82, 1.25)
            bands = functional.interpolate(bands.transpose(1, 2), scale_factor=factor, mode="linear")
            bands = bands.transpose(1, 2)
    return bands


FILTERS = torch.from_numpy(np.stack([mel_matrix(Shape().bands, float(warp)) for warp in WARPS]))


def hidden(bands: Tensor, options: Options, random: np.random.Generator) -> Tensor:
    """Choose stripes of bands and short stretches of frames to blank out, for each recording."""
    count, frames, width = bands.shape
    mask = torch.zeros(bands.shape, dtype=torch.bool)
    for row in range(count):
        for _ in range(2):
            size = int(random.integers(0, options.hidden_bands + 1))
            start = int(random.integers(0, width - size + 1))
            mask[row, :, start : start + size] = True
        for _ in range(int(frames // 120) + 1):
            size = int(random.integers(0, options.hidden_frames + 1))
            start = int(random.integers(0, max(1, frames - size)))
            mask[row, start : start + size] = True
    return mask


def loss_of(logits: Tensor, frames: Tensor, batch: Batch) -> Tensor:
    """CTC loss by label, over the batch."""
    chances = functional.log_softmax(logits, dim=-1).transpose(0, 1)
    whole = functional.ctc_loss(
        chances,
        batch.targets,
        frames,
        batch.target_lengths,
        blank=BLANK,
        reduction="sum",
        zero_infinity=True,
    )
    return whole / (batch.target_lengths.sum() + len(frames))


def greedy(logits: Tensor) -> list[str]:
    """Best label of each frame, repeats merged, blanks dropped; for choices made while training."""
    found = []
    for row in logits.argmax(dim=-1).tolist():
        merged = [label for place, label in enumerate(row) if not place or label != row[place - 1]]
        text = "".join(VOCABULARY[label] for label in merged if label > 1)
        found.append(" ".join(text.replace("|", " ").split()))
    return found


def word_errors(model: SpeechModel, clips: Sequence[Clip]) -> dict[str, float]:
    """Word error rate by corpus in per cent, greedy, with half a second of silence after each recording."""
    model.eval()
    wrong: dict[str, list[int]] = {}
    ordered = sorted(clips, key=lambda clip: len(clip.wave))
    with torch.no_grad():
        for start in range(0, len(ordered), 8):
            part = ordered[start : start + 8]
            batch = collate([(np.pad(clip.wave, (0, RATE // 2)), clip.text) for clip in part])
            for clip, found in zip(part, greedy(model(batch.waves)), strict=True):
                wrong.setdefault(clip.corpus, []).extend(
                    (compared(clip.text.split(), found.split()).errors, len(clip.text.split()))
                )
    return {name: round(100 * sum(v[::2]) / sum(v[1::2]), 2) for name, v in sorted(wrong.items())}


def rate_at(share: float, options: Options) -> float:
    """Learning rate when so much of the time is over: up in a line, down in a half cosine."""
    if share < options.warm_up:
        return options.rate * (share + 1e-3) / options.warm_up
    fall = min(1.0, (share - options.warm_up) / (1 - options.warm_up))
    return options.last_rate + (options.rate - options.last_rate) * 0.5 * (1 + math.cos(math.pi * fall))


def settle(model: SpeechModel, drawer: Drawer, random: np.random.Generator) -> None:
    """Set the fixed mean and scale of each band from some examples."""
    with torch.no_grad():
        bands = [model.mel(torch.from_numpy(drawer.draw(random)[0][None])) for _ in range(200)]
        every = torch.cat([part[0] for part in bands])
        model.mean.copy_(every.mean(dim=0))
        model.scale.copy_(1 / every.std(dim=0))


def optimizer_of(model: SpeechModel, options: Options) -> torch.optim.AdamW:
    """AdamW, with decay on matrices alone."""
    every = list(model.parameters())
    return torch.optim.AdamW(
        [
            {"params": [p for p in every if p.dim() > 1], "weight_decay": options.weight_decay},
            {"params": [p for p in every if p.dim() <= 1], "weight_decay": 0.0},
        ],
        lr=options.rate,
        betas=(0.9, 0.98),
        fused=True,
    )


def train(
    model: SpeechModel, drawer: Drawer, tune: Sequence[Clip], options: Options, out: Path, ran: float = 0.0
) -> SpeechModel:
    """Fit until the minutes are over; write `last.pt` and the running average `model.pt` every minutes.

    `ran`: minutes already used by the run that is continued.
    """
    random = np.random.default_rng(options.seed + int(ran * 100))
    torch.manual_seed(options.seed + int(ran * 100))
    optimizer = optimizer_of(model, options)
    average: SpeechModel = copy.deepcopy(model).eval()
    began = told = time.monotonic()
    running = heard = 0.0

    def share_now() -> float:
        return (ran + (time.monotonic() - began) / 60) / options.minutes

    for step, batch in enumerate(batches(drawer, options, random, share_now), 1):
        share = share_now()
        if share >= 1:
            break
        for group in optimizer.param_groups:
            group["lr"] = rate_at(share, options) * min(1.0, step / SETTLING)
        model.train()
        bands = features(model, batch, options, random)
        hide = None if share < options.gentle else hidden(bands, options, random)
        logits, tapped = model.scores(bands, hide)
        # The frames of a padded recording that its own length gives.
        frames = (batch.lengths * logits.shape[1] / batch.waves.shape[1]).floor().long()
        frames = frames.clamp(min=1, max=logits.shape[1])
        loss = loss_of(logits, frames, batch) + options.tap * loss_of(tapped, frames, batch)
        loss.backward()  # type: ignore[no-untyped-call, unused-ignore]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        keep = min(options.average, (step + 1) / (step + 10))
        with torch.no_grad():
            for mean, value in zip(average.parameters(), model.parameters(), strict=True):
                mean.lerp_(value, 1 - keep)
        running += float(loss.detach())
        heard += float(batch.lengths.sum()) / RATE
        if step % 50 == 0:
            used, busy = ran + (time.monotonic() - began) / 60, time.process_time() / 60
            told_of = f"{used:6.1f} min ({busy:.1f} of processor)  step {step}  {heard / 3600:.2f} h heard"
            print(f"{told_of}  loss {running / 50:.3f}", flush=True)
            running = 0.0
        if time.monotonic() - told > 240:
            save(model, out / "last.pt")
            save(average, out / "model.pt")
            print(json.dumps({"share": round(share, 3), "tune": word_errors(average, tune)}), flush=True)
            told = time.monotonic()
    save(model, out / "last.pt")
    save(average, out / "model.pt")
    print(json.dumps({"final": True, "tune": word_errors(average, tune)}), flush=True)
    return average


def main() -> None:
    """Read the options and train."""
    parser = argparse.ArgumentParser(prog="python -m recipes.speech.train", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with digits-fsdd/ and the others")
    parser.add_argument("--out", type=Path, required=True, help="folder for weights")
    parser.add_argument("--start", type=Path, help="weights to go on from")
    parser.add_argument("--ran", type=float, default=0.0, help="minutes the run that made them had used")
    parser.add_argument("--cuts", type=Path, help="words cut by `align`")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="an option, in JSON")
    parser.add_argument("--share", action="append", default=[], metavar="NAME=VALUE", help="a share, in JSON")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    options = replace(Options(), **_changes(chosen.set))
    shares = replace(Shares(), **_changes(chosen.share))
    chosen.out.mkdir(parents=True, exist_ok=True)
    clips, tune = read_training(chosen.data)
    orders = [clip.text for clip in clips if clip.corpus == "orders-barista"]
    voices = kept(chosen.out / "synthetic.npz", synthetic(options.synthetic, orders, options.seed))
    cuts = kept(chosen.cuts, iter(())) if chosen.cuts else []
    drawer = Sources(clips, voices, cuts, shares).drawer()
    torch.manual_seed(options.seed)
    model = load(chosen.start) if chosen.start else SpeechModel(Shape())
    if not chosen.start:
        settle(model, drawer, np.random.default_rng(options.seed))
    print(json.dumps({"options": asdict(options), "shares": asdict(shares), "clips": len(clips)}), flush=True)
    train(model, drawer, tune, options, chosen.out, chosen.ran)


def _changes(given: Sequence[str]) -> dict[str, Any]:
    return {name: json.loads(value) for name, _, value in (item.partition("=") for item in given)}


if __name__ == "__main__":
    main()
