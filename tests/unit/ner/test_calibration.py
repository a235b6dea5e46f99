import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from appliance.ner.calibration import BATCH_TOKENS, Calibration, Calibrations, choose, measure
from appliance.ner.engine import NerEngine
from appliance.ner.model_folder import ModelFolder
from appliance.ner.text_request import requests_for
from tests.support.paths import ROOT
from tests.support.site import SENTENCE, VERSION, Site

USUAL = Calibration(sessions=2, batch_tokens=128)
OTHER = Calibration(sessions=2, batch_tokens=64)


def kept(path: Path, machine: str = "this one") -> Calibrations:
    return Calibrations(path, machine=lambda: machine)


def never() -> Calibration:
    raise AssertionError("it was measured again")


def test_the_usual_way_stands_unless_another_is_clearly_faster() -> None:
    assert choose({USUAL: [100.0, 101.0, 99.0], OTHER: [109.0, 103.0, 109.5]}, USUAL) == USUAL
    assert choose({USUAL: [100.0, 101.0, 99.0], OTHER: [111.0, 80.0, 112.0]}, USUAL) == OTHER


def test_each_way_is_tried_and_rows_that_may_not_share_a_call_never_do() -> None:
    shapes: set[tuple[int, ...]] = set()

    class Seen:
        def run(self, ids: NDArray[np.int64], mask: NDArray[np.int64], types: Any) -> NDArray[np.float32]:
            shapes.add(ids.shape)
            return np.zeros((*ids.shape, 2), np.float32)

    found = measure(Seen(), threads=[2], batches=True, window_tokens=128)
    assert found.sessions == 2
    assert shapes == {(tokens // 32, 32) for tokens in BATCH_TOKENS}
    shapes.clear()
    assert measure(Seen(), threads=[2], batches=False, window_tokens=128) == Calibration(
        sessions=2, batch_tokens=0
    )
    assert measure(Seen(), threads=[2, 1], batches=False, window_tokens=16).sessions in (1, 2)
    assert shapes == {(1, 16)}


def test_a_model_is_measured_once(tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"
    assert kept(path).of("a", lambda: OTHER) == OTHER
    assert kept(path).of("b", lambda: USUAL) == USUAL
    assert kept(path).of("a", never) == OTHER
    assert kept(path).of("b", never) == USUAL


def test_another_machine_measures_anew(tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"
    kept(path).of("a", lambda: OTHER)
    assert kept(path, "another").of("a", lambda: USUAL) == USUAL
    assert kept(path, "another").of("a", never) == USUAL


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{",
        '{"machine": "this one"}',
        '{"machine": "this one", "models": {"a": {"sessions": 0, "batch_tokens": 64}}}',
        '{"machine": "this one", "models": {"a": {"sessions": "2", "batch_tokens": 64}}}',
        '{"machine": "this one", "models": 7}',
    ],
)
def test_a_damaged_file_is_measured_again(tmp_path: Path, content: str) -> None:
    path = tmp_path / "calibration.json"
    path.write_text(content)
    assert kept(path).of("a", lambda: OTHER) == OTHER
    assert kept(path).of("a", never) == OTHER


def test_what_cannot_be_kept_is_used_all_the_same(tmp_path: Path) -> None:
    assert kept(tmp_path / "missing" / "calibration.json").of("a", lambda: OTHER) == OTHER


def test_an_engine_asks_as_calibrated_unless_it_is_told(tmp_path: Path) -> None:
    folder = ModelFolder.open(ROOT / "appliance" / "bundled" / "ner-en")
    path = tmp_path / "calibration.json"
    known = {folder.digests["model.onnx"]: {"sessions": 3, "batch_tokens": 128}}
    path.write_text(json.dumps({"machine": "this one", "models": known}))
    for sessions, used in ((0, 3), (1, 1)):
        engine = NerEngine.load(folder, sessions=sessions, calibrations=kept(path))
        assert engine.sessions == used
        assert engine.close(timeout_seconds=10)


@pytest.mark.e2e
@pytest.mark.slow
def test_the_first_start_measures_and_the_second_knows(site: Site) -> None:
    site.issue()
    first = site.start("Engine:Sessions=0")
    assert "calibrated" in first.text()
    assert first.stop() == 0
    second = site.start("Engine:Sessions=0")
    assert "calibrated" not in second.text()
    body = {"kind": "EntityRecognition", "analysisInput": {"documents": [{"id": "1", "text": SENTENCE}]}}
    with second.client() as client:
        assert client.post("/language/:analyze-text", params=VERSION, json=body).status_code == 200
    assert (site.state / "calibration.json").stat().st_mode & 0o777 == 0o600


def test_a_model_for_one_text_a_call_is_calibrated_and_answers_texts_one_by_one(
    make_folder: Callable[..., Path], make_graph: Callable[..., bytes], tmp_path: Path
) -> None:
    graph = make_graph(quantised=False, shape=(1, "tokens"))
    path = make_folder("float", files={"model.onnx": graph}, batch_invariant=True)
    engine = NerEngine.load(ModelFolder.open(path), calibrations=kept(tmp_path / "calibration.json"))
    try:
        answers = asyncio.run(engine.recognize(requests_for([SENTENCE] * 20)))
    finally:
        assert engine.close(timeout_seconds=10)
    assert len(answers) == 20
    assert all(answer == answers[0] for answer in answers)
