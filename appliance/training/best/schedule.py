"""How an encoder is fine-tuned: sizes of batches, numbers of epochs, and learning rates step by step."""

import math
from copy import copy
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """How an encoder is fine-tuned.

    Attributes:
        rate: Highest learning rate of the encoder.
        head_rate: Of the new head.
        decay: Of weights, by AdamW.
        dropout: As the encoder was trained with.
        batch_tokens: Fewest and most of a batch.
        steps: A small set is cut into smaller batches, so that its epochs together make the first number of
            steps: with few large ones the new head has hardly begun to learn when the rate is at its end. A
            large set has no more epochs than the second number of steps takes.
        epochs: Fewest and most.
        warm_up: Share of the steps in which the rates rise.
        least_loss: Mean loss of an epoch, in nats a word, under which nothing is left to learn.
        ending: Epochs in which the rates then fall to nothing.
        trial: Of all epochs: the share before a trial, and the share after it. The first is on the documents
            that are not held back, the second on all.
    """

    rate: float = 2e-4
    head_rate: float = 1e-3
    decay: float = 0.01
    dropout: float = 0.1
    batch_tokens: tuple[int, int] = (192, 1024)
    steps: tuple[int, int] = (350, 700)
    epochs: tuple[int, int] = (4, 20)
    warm_up: float = 0.1
    least_loss: float = 0.005
    ending: int = 2
    trial: tuple[float, float] = (0.4, 0.7)

    def batch(self, tokens: int) -> int:
        """Return the tokens of a batch for an epoch of so many."""
        low, high = self.batch_tokens
        return max(low, min(high, tokens * self.epochs[1] // self.steps[0]))

    def most_epochs(self, steps: int) -> int:
        """Return how many epochs there may be, if one has so many steps."""
        low, high = self.epochs
        return max(low, min(high, -(-self.steps[1] // steps)))

    def around_trial(self, epochs: int) -> tuple[int, int, int]:
        """Divide the most epochs: those before a trial, those in which the trial ends, and those after it."""
        before, after = self.trial
        return (
            max(1, int(before * epochs)),
            min(self.ending, -(-epochs // 8)),
            max(self.ending, math.ceil(after * epochs)),
        )


class Pace:
    """Shares of the highest learning rate, step by step: they rise, then fall in a line to nothing.

    Args:
        steps: How many there are to be.
        warm_up: Share of them in which the rate rises.
    """

    def __init__(self, steps: int, warm_up: float) -> None:
        self._rising = max(1, int(steps * warm_up))
        self._end = steps
        self._from, self._top = self._rising, 1.0
        self._at = 0

    def step(self) -> float:
        """Return the share of the next step."""
        share = self._share()
        self._at += 1
        return share

    def ending(self, steps: int) -> "Pace":
        """Return one that begins where this is, and is at the end in so many steps."""
        made = copy(self)
        made.end_in(steps)
        return made

    def end_in(self, steps: int) -> None:
        """Fall from where it is now, to be at the end in so many steps."""
        self._from, self._top = self._at, self._share()
        self._rising, self._end = 0, self._at + steps

    def _share(self) -> float:
        if self._at < self._rising:
            return (self._at + 1) / self._rising
        return self._top * max(0.0, (self._end - self._at) / max(1, self._end - self._from))
