"""What a run of the training is made of."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a run is made of. Shares are of sentences; weights say how often a source is shown per epoch.

    `written`, `decorated` and `listed` are for encoders whose pieces tell whether a space came before them;
    `written` is a share of what came as tokens, `listed` adds that share of lists of names alone.
    """

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
    written: float = 0.0
    decorated: float = 0.0
    listed: float = 0.0
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
            written=0,
            decorated=0,
            listed=0,
            packed=0,
            packed_tweets=0,
            weights=(),
            with_others=False,
            average_from=1.0,
        )
