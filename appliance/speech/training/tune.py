"""Fine-tuning of a Whisper on examples: one optimiser, batches of similar length, an end in good time."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from appliance.host.torch_extra import quick_bfloat16
from appliance.onnx_tools.whisper.silence import FLOOR
from appliance.speech.evaluation.evaluate import Told
from appliance.speech.training.examples import Example
from appliance.speech.training.torch_whisper import TorchWhisper
from appliance.speech.training.tuning import Tuning
from appliance.speech.whisper.features import log_mel

IGNORED: Final = -100


@dataclass(slots=True)
class Course:
    """How a training went.

    Attributes:
        losses: On held-out recordings, in nats a token: before, then after each epoch.
        best: The epoch whose weights are kept; 0 where none was better than before.
        out_of_time: Whether the time was up before the epochs.
    """

    losses: list[float] = field(default_factory=list)
    best: int = 0
    out_of_time: bool = False


def tune(
    network: TorchWhisper,
    taught: Sequence[Example],
    held: Sequence[Example],
    tuning: Tuning,
    *,
    seconds: float,
    told: Told,
    clock: Callable[[], float] = time.monotonic,
) -> Course:
    """Learn; leave the network with the weights that did best on held-out examples.

    At the first token a Whisper says whether anybody speaks. No text teaches that, so there the network is
    held to what it said before: otherwise what it learns shifts that too, and speech is taken for none.

    Args:
        network: What learns.
        taught: To learn from.
        held: To be examined on after each epoch.
        tuning: How.
        seconds: Time for it; the learning rate falls so that it is at its end by then.
        told: Hears of the progress.
        clock: Seconds.
    """
    random = Random(tuning.seed)  # noqa: S311
    learning = [value for value in network.parameters() if value.requires_grad]
    optimizer = torch.optim.AdamW(learning, lr=tuning.rate, weight_decay=tuning.decay, betas=(0.9, 0.98))
    quick = quick_bfloat16(torch)
    begun, epochs = clock(), tuning.most_epochs(len(taught))
    steps = epochs * -(-len(taught) // tuning.batch)
    course = Course(losses=[loss_on(network, held, tuning.batch)])
    anchors = _anchors(network, taught, tuning.batch) if tuning.anchor else None
    kept, taken, behind = _kept(network), 0, 0
    for epoch in range(1, epochs + 1):
        for chosen in _batches(taught, tuning.batch, random):
            share = max(taken / steps, (clock() - begun) / seconds)
            if share >= 1:
                course.out_of_time = True
                break
            for group in optimizer.param_groups:
                group["lr"] = tuning.rate * _pace(share, tuning.warm_up)
            batch = _tensors([taught[at] for at in chosen], network.sizes.mels, tuning, random)
            with torch.autocast("cpu", torch.bfloat16, enabled=quick):
                states = network.decode(network.encode(batch[0]), batch[1])
                loss = _loss(network, states, batch[2])
                if anchors is not None:
                    loss = loss + tuning.anchor * _moved(network, states[:, 0], anchors[chosen])
            loss.backward()  # type: ignore[no-untyped-call, unused-ignore]
            torch.nn.utils.clip_grad_norm_(learning, 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            taken += 1
            told(f"epoch {epoch} of at most {epochs}, loss {course.losses[-1]:.3f}", share)
        network.hear_silence()
        course.losses.append(loss_on(network, held, tuning.batch))
        behind += 1
        if course.losses[-1] < min(course.losses[:-1]):
            course.best, behind, kept = epoch, 0, _kept(network)
        if course.out_of_time or behind >= tuning.patience:
            break
    network.load_state_dict(kept)
    network.hear_silence()
    return course


def loss_on(network: TorchWhisper, examples: Sequence[Example], size: int) -> float:
    """Mean loss in nats a token, without masks."""
    total, tokens = 0.0, 0
    with torch.no_grad():
        for chosen in _batches(examples, size, None):
            features, ids, targets = _tensors([examples[at] for at in chosen], network.sizes.mels)
            count = int((targets != IGNORED).sum())
            states = network.decode(network.encode(features), ids)
            total += float(_loss(network, states, targets)) * count
            tokens += count
    return total / max(1, tokens)


def _anchors(network: TorchWhisper, examples: Sequence[Example], size: int) -> Tensor:
    """States [examples, width] of the decoder at the first token, before anything is learnt."""
    found = torch.zeros(len(examples), network.sizes.width)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=quick_bfloat16(torch)):
        for chosen in _batches(examples, size, None):
            features, ids, _ = _tensors([examples[at] for at in chosen], network.sizes.mels)
            found[chosen] = network.decode(network.encode(features), ids[:, :1])[:, 0].float()
    return found


def _moved(network: TorchWhisper, states: Tensor, anchors: Tensor) -> Tensor:
    """How far what follows the first token has moved from what followed it before, in nats."""
    before = functional.log_softmax(network.logits(anchors).float(), -1)
    after = functional.log_softmax(network.logits(states).float(), -1)
    return functional.kl_div(after, before, reduction="batchmean", log_target=True)


def _kept(network: TorchWhisper) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in network.state_dict().items()}


def _pace(share: float, warm_up: float) -> float:
    """The share of the highest rate: it rises in a line, then falls as half a cosine."""
    if share < warm_up:
        return max(0.02, share / warm_up)
    return 0.5 * (1 + math.cos(math.pi * (share - warm_up) / (1 - warm_up)))


def _batches(examples: Sequence[Example], size: int, random: Random | None) -> Iterator[list[int]]:
    """Numbers of examples in batches of similar length, in random order where `random` is given."""
    lengths = [len(one.sound) * (random.uniform(0.9, 1.1) if random else 1) for one in examples]
    order = sorted(range(len(examples)), key=lengths.__getitem__)
    cut = [order[at : at + size] for at in range(0, len(order), size)]
    if random:
        random.shuffle(cut)
    yield from cut


def _tensors(
    batch: Sequence[Example], bands: int, tuning: Tuning | None = None, random: Random | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Features [batch, bands, frames], tokens and targets [batch, tokens]; masked where `random` is given."""
    mels = []
    for one in batch:
        mel = log_mel(one.samples(), bands=bands)
        if tuning is not None and random is not None:
            _mask(mel, tuning, random)
        mels.append(mel)
    frames = max(mel.shape[1] for mel in mels)
    features = np.full((len(mels), len(mels[0]), frames), FLOOR, np.float32)
    most = max(len(one.tokens) for one in batch) - 1
    ids = np.zeros((len(batch), most), np.int64)
    targets = np.full((len(batch), most), IGNORED, np.int64)
    for row, (mel, one) in enumerate(zip(mels, batch, strict=True)):
        features[row, :, : mel.shape[1]] = mel
        ids[row, : len(one.tokens) - 1] = one.tokens[:-1]
        targets[row, one.prompt - 1 : len(one.tokens) - 1] = one.tokens[one.prompt :]
    return torch.from_numpy(features), torch.from_numpy(ids), torch.from_numpy(targets)


def _loss(network: TorchWhisper, states: Tensor, targets: Tensor) -> Tensor:
    asked = targets != IGNORED
    return functional.cross_entropy(network.logits(states[asked]).float(), targets[asked])


def _mask(mel: NDArray[np.float32], tuning: Tuning, random: Random) -> None:
    """Hide two stripes of bands and two of frames."""
    bands, frames = mel.shape
    middle = mel.mean()
    for _ in range(2):
        width = random.randint(0, min(tuning.mask_bands, bands // 4))
        at = random.randint(0, bands - width)
        mel[at : at + width] = middle
        width = random.randint(0, min(tuning.mask_frames, frames // 16))
        at = random.randint(0, frames - width)
        mel[:, at : at + width] = middle
