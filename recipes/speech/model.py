"""The network: log-mel bands, strided convolutions, then convolution blocks of finite context.

Every frame of the answer depends on a fixed span of samples around it and on nothing else of the
recording, so a stream cut into overlapping windows gives the frames of the whole.
"""

from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from recipes.speech.layout import AFTER, BEFORE, FLOOR, HOP, VOCABULARY, WINDOW, Shape, mel_matrix, window


class LogMel(nn.Module):  # type: ignore[misc, unused-ignore]  # where torch is not installed
    """Waveform float32 [batch, samples] to log-mel bands [batch, frames of 10 ms, bands]."""

    window: Tensor
    filters: Tensor

    def __init__(self, bands: int) -> None:
        super().__init__()
        self.register_buffer("window", torch.from_numpy(window()), persistent=False)
        self.register_buffer("filters", torch.from_numpy(mel_matrix(bands)), persistent=False)

    def forward(self, wave: Tensor, filters: Tensor | None = None) -> Tensor:
        """`filters` [batch, bins, bands] replaces the filters, one set for each recording."""
        framed = functional.pad(wave, (BEFORE, AFTER)).unfold(1, WINDOW, HOP) * self.window
        power = torch.fft.rfft(framed).abs().square()
        return torch.log(power @ (self.filters if filters is None else filters) + FLOOR)


class Block(nn.Module):  # type: ignore[misc, unused-ignore]
    """Depthwise convolution over time, then two dense layers on each frame, added to what came in."""

    def __init__(self, shape: Shape, left: int, right: int) -> None:
        super().__init__()
        self.context = (left, right)
        self.mix = nn.Conv1d(shape.width, shape.width, left + right + 1, groups=shape.width)
        self.norm = nn.LayerNorm(shape.width)
        self.grow = nn.Linear(shape.width, shape.wide)
        self.shrink = nn.Linear(shape.wide, shape.width)
        self.dropout = shape.dropout

    def forward(self, value: Tensor) -> Tensor:
        """Value and answer: float32 [batch, frames, width]."""
        mixed = self.mix(functional.pad(value.transpose(1, 2), self.context)).transpose(1, 2)
        grown = functional.silu(self.grow(self.norm(mixed)))
        if self.training:
            # Whole channels of a recording: random numbers for each frame would cost a fifth of the time.
            keep = torch.rand(grown.shape[0], 1, grown.shape[2]) >= self.dropout
            grown = grown * (keep / (1 - self.dropout))
        answer: Tensor = value + self.shrink(grown)
        return answer


class SpeechModel(nn.Module):  # type: ignore[misc, unused-ignore]
    """Log-mel bands to label scores each 20 ms."""

    mean: Tensor
    scale: Tensor

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.mel = LogMel(shape.bands)
        self.register_buffer("mean", torch.full((shape.bands,), -10.0))
        self.register_buffer("scale", torch.full((shape.bands,), 0.3))
        first, second = shape.maps
        self.first = nn.Conv2d(2, first, 3, stride=2)
        self.second = nn.Conv2d(first, second, 3, stride=2)
        self.enter = nn.Linear(second * (shape.bands // 4), shape.width)
        self.blocks = nn.ModuleList(Block(shape, *context) for context in shape.blocks)
        self.norm = nn.LayerNorm(shape.width)
        self.head = nn.Linear(shape.width, 2 * len(VOCABULARY))
        self.tap_norm = nn.LayerNorm(shape.width)
        self.tap = nn.Linear(shape.width, 2 * len(VOCABULARY))

    def forward(self, wave: Tensor) -> Tensor:
        """Waveform float32 [batch, samples] to logits [batch, samples // 320, labels]."""
        return self.scores(self.mel(wave))[0]

    def scores(self, bands: Tensor, hide: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Log-mel bands [batch, frames of 10 ms, bands] to (logits, logits of the tap inside the network).

        Both are [batch, frames of 20 ms, labels]. The tap is there to train with and is not served. `hide`
        bool [batch, frames, bands]: what to blank out.
        """
        steady = (bands - self.mean) * self.scale
        moving = (bands - self.local_mean(bands)) * self.scale
        pair = torch.stack([steady, moving], dim=1).contiguous(memory_format=torch.channels_last)
        if hide is not None:
            pair = pair.masked_fill(hide[:, None], 0.0)
        halved = functional.silu(self.first(functional.pad(pair, (1, 0, 1, 0))))
        frames = halved.shape[2]
        maps = functional.silu(self.second(functional.pad(halved, (1, 0, 1, 1))))
        value = self.enter(maps.transpose(1, 2).flatten(2))
        for block in self.blocks[: self.shape.tap]:
            value = block(value)
        tapped = _halves(self.tap(self.tap_norm(value)), frames)
        for block in self.blocks[self.shape.tap :]:
            value = block(value)
        return _halves(self.head(self.norm(value)), frames), tapped

    def local_mean(self, bands: Tensor) -> Tensor:
        """Mean of each band over this frame and those before, `mean_frames` at most."""
        count = self.shape.mean_frames
        sums = functional.pad(bands.double().cumsum(dim=1), (0, 0, count, 0))
        seen = torch.arange(1, bands.shape[1] + 1).clamp(max=count)[:, None]
        return ((sums[:, count:] - sums[:, :-count]) / seen).float()


def _halves(scores: Tensor, frames: int) -> Tensor:
    """Part steps of 40 ms into the frames of 20 ms that each scores."""
    return scores.reshape(scores.shape[0], -1, len(VOCABULARY))[:, :frames]


def save(model: SpeechModel, path: Path) -> None:
    """Write sizes and weights to one file."""
    torch.save({"shape": asdict(model.shape), "weights": model.state_dict()}, path)


def load(path: Path) -> SpeechModel:
    """Read what `save` wrote."""
    held = torch.load(path, weights_only=True)
    model = SpeechModel(Shape(**held["shape"]))
    model.load_state_dict(held["weights"])
    return model
