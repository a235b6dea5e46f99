from typing import Any, cast

import pytest

from appliance.errors import UnknownDeployment, UnknownModelVersion
from appliance.pipeline.deployments import Deployment, Deployments


def deployment(project: str, name: str, model: str = "m") -> Deployment:
    return Deployment(project=project, name=name, model=model, release="1.2", recognizer=cast("Any", None))


def test_the_first_answers_prebuilt_requests_in_its_own_version_only() -> None:
    served = Deployments()
    served.set([deployment("p", "a"), deployment("p", "b")])
    assert served.default().name == served.default("1.2").name == "a"
    with pytest.raises(UnknownModelVersion):
        served.default("2021-06-01")


def test_a_model_id_means_the_only_model_a_unique_name_or_the_alias() -> None:
    one = Deployments()
    one.set([deployment("p", "a")])
    assert one.by_model_id("0b0d_anything_latest").name == "a"
    two = Deployments(alias="guid_latest")
    two.set([deployment("p", "a", "m1"), deployment("p", "b", "m2")])
    assert [two.by_model_id(i).name for i in ("guid_latest", "b", "m2", "p/a")] == ["a", "b", "b", "a"]
    with pytest.raises(UnknownDeployment):
        two.by_model_id("other")


def test_what_is_renewed_takes_the_place_of_what_was_and_leaves_what_others_put() -> None:
    served = Deployments()
    first, second, other = deployment("p", "a"), deployment("p", "b"), deployment("q", "c")
    served.set([first, second])
    served.put(other)
    renewed = deployment("p", "b", "m2")
    served.renew([first, second], [renewed])
    assert list(served) == [renewed, other]
    own = deployment("p", "b", "authored")
    served.put(own)
    served.renew([renewed], [])
    assert set(served) == {own, other}, "what was put under its name meanwhile is not its to take away"
