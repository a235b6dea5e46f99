"""How a Whisper is fine-tuned: numbers that were measured to serve, see `docs/speech.md`."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """How a model is fine-tuned.

    Attributes:
        rate: Highest learning rate.
        decay: Of weights, by AdamW.
        epochs: Fewest and most; those in between, as many as `steps` takes.
        steps: Of the optimiser, if there are fewer recordings.
        batch: Recordings of one step.
        warm_up: Share of the work in which the rate rises.
        patience: Epochs without a lower loss on held-out recordings before it ends.
        first: The first layer of the encoder that learns.
        anchor: Weight of staying with the base in whether anybody speaks, see `tune`.
        mask_bands: Most mel bands of each of two masks (Park et al. 2019, SpecAugment).
        mask_frames: Most frames of 10 ms of each of two masks.
        shares: Ways from the base to what was learnt, of which one is chosen, rising (Wortsman et al. 2021,
            "Robust Fine-Tuning of Zero-Shot Models").
        seed: Of order and masks.
    """

    rate: float = 1e-5
    decay: float = 0.01
    epochs: tuple[int, int] = (4, 20)
    steps: int = 160
    batch: int = 16
    warm_up: float = 0.1
    patience: int = 2
    first: int = 0
    anchor: float = 1.0
    mask_bands: int = 12
    mask_frames: int = 30
    shares: tuple[float, ...] = (0.25, 0.5, 0.75, 1.0)
    seed: int = 1

    def most_epochs(self, recordings: int) -> int:
        """Return how many epochs there may be with so many recordings."""
        low, high = self.epochs
        return max(low, min(high, -(-self.steps // -(-recordings // self.batch))))
