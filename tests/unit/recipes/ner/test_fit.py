"""The fit loop that the trainings of the network share."""

from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the extra train")
transformers = pytest.importorskip("transformers", reason="needs the development group train")

SMALL = {"vocab_size": 50, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}


def test_part_of_an_epoch_is_run_and_the_last_steps_are_averaged() -> None:
    from recipes.ner.batches import Batch
    from recipes.ner.fit import fit, groups
    from recipes.ner.model import NerModel
    from recipes.ner.options import Options

    torch.manual_seed(3)
    model = NerModel(transformers.BertConfig(**SMALL, intermediate_size=16))
    ids = torch.ones((1, 4), dtype=torch.int64)
    batches = [Batch(ids=ids, mask=ids, classes=ids * 0, targets=ids)] * 4
    steps: list[int] = []
    ended: list[int] = []
    told: list[str] = []

    def loss_of(step: int, batch: Batch) -> Any:
        steps.append(step)
        return model(batch.ids, batch.mask, batch.classes).square().mean()

    average = fit(
        model,
        groups(model, Options(), most_rate=1e-3),
        lambda: batches,
        loss_of,
        epochs=1.5,
        warm_up=0.5,
        average_from=0.5,
        report=(2, lambda progress, _: told.append(progress)),
        epoch_done=ended.append,
    )
    assert steps == list(range(6))
    assert ended == [1, 2]
    assert [line.split("  ")[-2:] for line in told] == [
        ["epoch 1", "2/4"],
        ["epoch 1", "4/4"],
        ["epoch 2", "2/4"],
    ]
    assert average is not model
