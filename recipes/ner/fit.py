"""The fit loop that the trainings of the network share, and what their losses are made of."""

import copy
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.optim.lr_scheduler import LambdaLR

from appliance.training.best.torch_network import descend
from recipes.ner.batches import Batch
from recipes.ner.model import OTHERS, NerModel
from recipes.ner.options import Options


def fit(
    model: NerModel,
    groups: list[dict[str, Any]],
    epoch: Callable[[], Sequence[Batch]],
    loss_of: Callable[[int, Batch], Tensor],
    *,
    epochs: float,
    warm_up: float,
    average_from: float,
    report: tuple[int, Callable[[str, float], None]],
    epoch_done: Callable[[int], None] = lambda _: None,
) -> NerModel:
    """Fit a network in place; return the average of its last steps, or itself where none are averaged.

    Args:
        model: The network.
        groups: Its parameters with their highest learning rates.
        epoch: Gives the batches of the next epoch.
        loss_of: From the number of the step, from 0, and a batch to the loss.
        epochs: How many; the last one may be a part.
        warm_up: Share of the steps in which the rates rise.
        average_from: Share of the steps after which weights are averaged.
        report: Steps of an epoch after which to report, and what hears of the progress and the mean loss
        since. epoch_done: Hears the number of each epoch, from 1, at its end.
    """
    optimizer = torch.optim.AdamW(groups, fused=True)
    schedule: LambdaLR | None = None
    average: NerModel | None = None
    averaged_steps = step = total = 0
    report_every, tell = report
    began = time.monotonic()
    for number in range(1, 1 + int(-(-epochs // 1))):
        batches = epoch()
        if schedule is None:
            total = int(len(batches) * epochs)
            schedule = LambdaLR(optimizer, partial(rate_at, total=total, warm_up=warm_up))
        model.train()
        loss_sum = 0.0
        for place, batch in enumerate(batches[: total - step], 1):
            loss = loss_of(step, batch)
            descend(loss, model, optimizer)
            schedule.step()
            step += 1
            loss_sum += float(loss.detach())
            if step >= average_from * total:
                averaged_steps += 1
                average = averaged(average, model, averaged_steps)
            if place % report_every == 0:
                seconds = time.monotonic() - began
                tell(f"{seconds:7.0f} s  epoch {number}  {place}/{len(batches)}", loss_sum / report_every)
                loss_sum = 0.0
        epoch_done(number)
    return average or model


def rate_at(at: int, total: int, warm_up: float) -> float:
    """Return the share of the learning rate at a step: it rises for a while, then falls to nothing."""
    rising = max(1, int(total * warm_up))
    return at / rising if at < rising else max(0.0, (total - at) / max(1, total - rising))


def averaged(average: NerModel | None, model: NerModel, count: int) -> NerModel:
    """Return the mean of `count` models, the last of which is `model`, from that of those before it."""
    if average is None:
        first: NerModel = copy.deepcopy(model).eval()
        return first
    with torch.no_grad():
        for mean, value in zip(average.parameters(), model.parameters(), strict=True):
            if value.requires_grad:
                mean.lerp_(value, 1 / count)
    return average


def groups(model: NerModel, options: Options, most_rate: float = 1.0) -> list[dict[str, Any]]:
    """Parameters with their rates, none above `most_rate`; head and table of case classes learn faster."""
    fast = ("head", "token_type")
    named = list(model.named_parameters())
    parameters: list[dict[str, Any]] = []
    for rate, quick in ((options.rate, False), (options.head_rate, True)):
        for decay in (True, False):
            chosen = [
                p
                for n, p in named
                if p.requires_grad and any(f in n for f in fast) == quick and (p.dim() > 1) == decay
            ]
            parameters.append(
                {
                    "params": chosen,
                    "lr": min(rate, most_rate),
                    "weight_decay": options.weight_decay if decay else 0.0,
                }
            )
    return parameters


def losses(logits: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy of each target; where a name of another kind is possible, O and that are one label."""
    chances = functional.log_softmax(logits, dim=-1)
    either = torch.logsumexp(chances[..., OTHERS], dim=-1, keepdim=True)
    return functional.nll_loss(torch.cat([chances, either], dim=-1), targets, reduction="none")


def distance(logits: Tensor, soft: Tensor, temperature: float) -> Tensor:
    """Return the cross-entropy of scores against those of a teacher, both softened."""
    wanted = functional.softmax(soft / temperature, dim=-1)
    ours = functional.log_softmax(logits / temperature, dim=-1)
    return -(wanted * ours).sum(dim=-1).mean() * temperature**2
