"""Which trainings are refused because of the model that their own would replace."""

import pytest

from appliance.authoring.retraining import Terms, check_label, replaced, sent_before
from appliance.authoring.tables import JobRow, ModelRow
from appliance.errors import ModelLabelTaken

MONDAY = 1_800_000_000.0  # 15 January 2027, 08:00 UTC
MODEL = ModelRow(project="p", label="m1", id="one", version="fast", trained=MONDAY, seconds=1)


def training(status: str, **outcome: str) -> JobRow:
    return JobRow(
        id="job", project="p", kind="train", target="m1", status=status,
        created=MONDAY, updated=MONDAY, outcome=outcome,
    )  # fmt: skip


def refused(jobs: list[JobRow], model: ModelRow | None, **terms: object) -> str:
    with pytest.raises(ModelLabelTaken) as caught:
        check_label("m1", jobs, model, Terms(**terms))  # type: ignore[arg-type]  # a table of terms
    return f"{caught.value.message} ({caught.value.hint})"


def test_a_name_that_is_being_trained_is_refused_with_who_and_since_when() -> None:
    told = refused([training("running", by="ann")], None)
    assert "The model m1 is being trained with the key ann since 15 January 2027 at 08:00 UTC" in told
    assert "train under another name, or wait" in told
    check_label("m2", [training("running", by="ann")], None, Terms())
    check_label("m1", [training("failed", by="ann")], None, Terms())


def test_a_model_that_the_caller_does_not_know_is_not_replaced() -> None:
    jobs = [training("succeeded", by="ann", model="one")]
    for terms in ({"new": True}, {"replaces": "another"}):
        told = refused(jobs, MODEL, **terms)
        assert "There is a model m1, trained on 15 January 2027 at 08:00 UTC with the key ann" in told
    check_label("m1", jobs, MODEL, Terms(replaces="one"))
    check_label("m1", jobs, MODEL, Terms())
    assert "is gone" in refused([], None, replaces="one")


def test_a_replaced_model_is_named_without_a_person_where_nobody_is_remembered() -> None:
    assert replaced(MODEL, []) == "it takes the place of the model m1 trained on 15 January 2027 at 08:00 UTC"


def test_a_request_that_is_sent_again_is_the_same_training() -> None:
    job = training("running", by="ann", request="r1")
    assert sent_before([job], Terms(by="ann", request="r1")) is job
    assert sent_before([job], Terms(by="ben", request="r1")) is None
    assert sent_before([training("running", by="ann", request="")], Terms(by="ann")) is None
