"""What each quality makes of training documents, and how it says what was chosen."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from appliance.datasets.document import LabelledDocument
from appliance.datasets.formats.label_files import read_file
from appliance.host.torch_extra import has_torch
from appliance.training.base.open_base import bundled_base
from appliance.training.best.schedule import Tuning
from appliance.training.best.train_best import Trial, Tuned, begin_best
from appliance.training.choice import hold_back
from appliance.training.make_model import Made, Task, make_model
from tests.unit.training.test_train import jsonl

torch = pytest.mark.skipif(not has_torch(), reason="torch is not installed: pip install torch")
FEW_STEPS = Tuning(steps=(12, 12), epochs=(2, 6), least_loss=0.1)
Make = Callable[[str, list[LabelledDocument]], Made]


@pytest.fixture
def documents(tmp_path: Path) -> list[LabelledDocument]:
    return read_file(jsonl(tmp_path / "ships.jsonl", 30))


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Train with few steps, and check that nothing is left beside the model and progress never falls."""

    def run(quality: str, documents: list[LabelledDocument]) -> Made:
        shares: list[float] = []
        task = Task(
            base=bundled_base(),
            documents=documents,
            categories=("Seller", "Ship"),
            seed=1,
            place=tmp_path / "models",
            told=lambda _, share: shares.append(share),
            tuning=FEW_STEPS,
        )
        made = make_model(task, quality)
        assert shares == sorted(shares)
        assert not (tmp_path / "models").exists() or not list((tmp_path / "models").iterdir())
        return made

    return run


@pytest.mark.skipif(has_torch(), reason="torch is installed, and this is about a machine without it")
def test_auto_without_torch_is_fast_and_says_so(make: Make, documents: list[LabelledDocument]) -> None:
    made = make("auto", documents)
    assert (made.choice.quality, made.choice.precision) == ("fast", "8 bits")
    assert "torch is not installed here, so best could not be tried" in made.choice.why
    assert made.choice.candidates == ()


@torch
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of torch, about itself
def test_auto_measures_three_candidates_on_documents_none_of_them_learnt(
    make: Make, documents: list[LabelledDocument]
) -> None:
    made = make("auto", documents)
    titles = [one.title for one in made.choice.candidates]
    assert titles == ["fast, 8 bits", "best, 8 bits", "best, float32"]
    assert {len(one.counts) for one in made.choice.candidates} == {6}
    chosen = next(one for one in made.choice.candidates if one.quality == made.choice.quality)
    assert chosen.f1 >= max(one.f1 for one in made.choice.candidates) - 0.005
    assert "on 6 training documents held back" in made.choice.why


@torch
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of torch, about itself
def test_best_chooses_its_precision_on_training_documents_held_back(
    make: Make, documents: list[LabelledDocument]
) -> None:
    made = make("best", documents)
    assert [one.title for one in made.choice.candidates] == ["best, 8 bits", "best, float32"]
    assert "points of F1 on 6 training documents held back" in made.choice.why
    assert re.fullmatch(r"encoder fine-tuned whole, \d+ epochs", made.how)


@torch
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of torch, about itself
def test_a_trial_sees_nothing_of_the_documents_held_back_and_training_then_learns_them(
    documents: list[LabelledDocument],
) -> None:
    learnt, held = hold_back(documents)
    seen: list[Tuned] = []

    def run(*, goes_on: bool) -> tuple[Tuned, list[str]]:
        told: list[str] = []

        def judge(tuned: Tuned) -> bool:
            seen.append(tuned)
            return goes_on

        tuned = begin_best(
            bundled_base(),
            learnt,
            ("Seller", "Ship"),
            told=lambda step, _: told.append(step),
            tuning=FEW_STEPS,
            trial=Trial(held=held, goes_on=judge),
        )
        return tuned, told

    stopped, before = run(goes_on=False)
    whole, every = run(goes_on=True)
    assert stopped.stopped and not whole.stopped
    assert every[: len(before)] == before, "the epochs before the trial are the same"
    assert len(every) > len(before)
    assert len(seen) == 2
    assert whole.epochs > stopped.epochs


@torch
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of torch, about itself
def test_of_few_documents_none_is_held_back_and_float32_is_kept(
    make: Make, documents: list[LabelledDocument]
) -> None:
    made = make("best", documents[:5])
    assert made.choice.precision == "float32"
    assert "too few to hold some back" in made.choice.why
    assert make("auto", documents[:5]).choice.quality == "fast"


@torch
@pytest.mark.slow
def test_where_hardly_a_document_has_labels_that_is_said_and_not_that_there_are_few(
    make: Make, documents: list[LabelledDocument]
) -> None:
    bare = [replace(one, labels=()) for one in documents[1:12]]
    made = make("auto", [documents[0], *bare])
    assert made.choice.why == "too few training documents have labels to hold some back: fast was taken"
