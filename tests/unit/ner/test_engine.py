import asyncio
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.datasets.components.components import Components, EntityComponents, LanguagePart
from appliance.errors import ModelError, Stopping
from appliance.ner.engine import Entity, NerEngine, Recognized
from appliance.ner.manifest import describe, write_components, write_manifest
from appliance.ner.model_folder import ModelFolder
from appliance.ner.text_request import requests_for
from tests.support.paths import ROOT

MakeFolder = Callable[..., Path]
Load = Callable[..., NerEngine]
BUNDLED = ROOT / "appliance" / "bundled" / "ner-en"


@pytest.fixture
def load() -> Iterator[Load]:
    loaded: list[NerEngine] = []

    def one(path: Path, **options: Any) -> NerEngine:
        engine = NerEngine.load(ModelFolder.open(path), **options)
        loaded.append(engine)
        return engine

    yield one
    for engine in loaded:
        assert engine.close(timeout_seconds=10)


def ask(engine: NerEngine, texts: list[str]) -> list[Recognized]:
    return asyncio.run(engine.recognize(requests_for(texts)))


def surfaces(text: str, found: list[Entity]) -> list[tuple[str, str]]:
    return [(text[entity.start : entity.end], entity.category) for entity in found]


@pytest.mark.parametrize("kind", ["float", "quantised"])
def test_names_are_found_where_they_stand(make_folder: MakeFolder, load: Load, kind: str) -> None:
    text = "John Smith of ACME Corp. lives\r\nin Paris\u2026 \U0001f600 not in New York."
    (found,) = ask(load(make_folder(kind)), [text])
    assert surfaces(text, found)[:3] == [
        ("John Smith", "Person"),
        ("ACME Corp", "Organization"),
        ("Paris", "Location"),
    ]
    assert all(0.5 < entity.score <= 1 for entity in found[:3])


def test_answers_keep_the_order_of_the_texts(make_folder: MakeFolder, load: Load) -> None:
    texts = ["in Paris", "", "John", "the a of " * 100, "Acme " * 3]
    found = ask(load(make_folder()), texts)
    assert [len(entities) for entities in found] == [1, 0, 1, 0, 3]


def shuffled(engine: NerEngine, texts: list[str], rounds: int) -> Iterator[list[Recognized]]:
    """Ask for all texts again and again, in other orders, other groups and at other times."""
    random = np.random.default_rng(5)

    async def once() -> list[Recognized]:
        order = random.permutation(len(texts))
        answers = [Recognized() for _ in texts]

        async def call(group: list[int]) -> None:
            found = await engine.recognize(requests_for(texts[index] for index in group))
            for index, entities in zip(group, found, strict=True):
                answers[index] = entities

        cuts = np.sort(random.choice(len(texts), size=int(random.integers(1, 40)), replace=False))
        await asyncio.gather(*(call(group.tolist()) for group in np.split(order, cuts) if len(group)))
        return answers

    for _ in range(rounds):
        yield asyncio.run(once())


@pytest.mark.parametrize("kind", ["float", "quantised"])
def test_the_same_text_has_the_same_answer_whatever_shares_its_batch(
    make_folder: MakeFolder, load: Load, texts: Callable[[int], list[str]], kind: str
) -> None:
    folder = make_folder(kind, manifest=False)
    asked = texts(200)
    alone = load(folder, sessions=1)
    expected = [ask(alone, [text])[0] for text in asked]
    assert sum(map(len, expected)) > 200
    for answers in shuffled(load(folder, sessions=2, batch_tokens=400), asked, rounds=5):
        assert [[(e.start, e.end, e.category) for e in found] for found in answers] == [
            [(e.start, e.end, e.category) for e in found] for found in expected
        ]
        differences = [
            abs(one.score - other.score)
            for found, wanted in zip(answers, expected, strict=True)
            for one, other in zip(found, wanted, strict=True)
        ]
        assert max(differences) < (1e-6 if kind == "float" else 1e-12)


def test_batching_would_disturb_a_dynamically_quantised_model(
    make_folder: MakeFolder, load: Load, texts: Callable[[int], list[str]]
) -> None:
    asked = texts(50)
    promised = load(make_folder("quantised", batch_invariant=True), sessions=1, batch_tokens=2000)
    honest = load(make_folder("quantised"), sessions=1, batch_tokens=2000)
    assert ask(promised, asked) != ask(honest, asked)


def test_a_text_of_125_000_characters_is_found_through_in_bounded_memory(
    make_folder: MakeFolder, load: Load
) -> None:
    sentence = "John Smith was born in Paris and works at Acme Corp. "
    text = (sentence * 2400)[:125_000]
    engine = load(make_folder())
    tracemalloc.start()
    (found,) = ask(engine, [text])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    whole = len(text) // len(sentence)
    expected = [("John Smith", "Person"), ("Paris", "Location"), ("Acme Corp", "Organization")] * whole
    assert surfaces(text, found)[: 3 * whole] == expected
    assert peak < 60 * 2**20


def test_any_text_is_answered_within_its_bounds(make_folder: MakeFolder, load: Load) -> None:
    engine = load(make_folder())
    pieces = [
        "John ",
        "PARIS",
        " acme",
        ",",
        "\U0001f468\u200d\U0001f469",
        "e\u0301",
        "\r\n",
        "\x00",
        "\ud83d",
        "(",
        "\u200f",
    ]

    @given(st.lists(st.one_of(st.sampled_from(pieces), st.text(max_size=5)), max_size=60))
    def answered(parts: list[str]) -> None:
        text = "".join(parts)
        (found,) = ask(engine, [text])
        end = 0
        for entity in found:
            assert end <= entity.start < entity.end <= len(text)
            assert 0 <= entity.score <= 1
            assert not text[entity.start].isspace()
            assert not text[entity.end - 1].isspace()
            end = entity.end
        assert found == ask(engine, [text])[0]

    answered()


def test_loading_reports_its_progress_and_ends_ready(make_folder: MakeFolder, load: Load) -> None:
    steps: list[tuple[str, float]] = []
    engine = load(make_folder(), progress=lambda step, share: steps.append((step, share)))
    assert [share for _, share in steps] == sorted(share for _, share in steps)
    assert steps[-1] == ("ready", 1.0)
    assert engine.heartbeat_age() == 0
    assert engine.waiting_tokens == 0
    assert engine.sessions >= 1
    assert engine.folder.name == "tiny"


def test_a_closed_engine_refuses(make_folder: MakeFolder, load: Load) -> None:
    engine = load(make_folder())
    assert engine.close()
    with pytest.raises(Stopping):
        ask(engine, ["John"])


def test_case_classes_without_an_input_for_them_are_refused(
    make_folder: MakeFolder, make_graph: Callable[..., bytes]
) -> None:
    import onnx

    model = onnx.load_from_string(make_graph(quantised=False))
    del model.graph.input[2]
    for node in model.graph.node:
        for place, name in enumerate(node.input):
            if name == "token_type_ids":
                node.input[place] = "input_ids"
    folder = ModelFolder.open(make_folder(files={"model.onnx": model.SerializeToString()}))
    with pytest.raises(ModelError, match="token_type_ids"):
        NerEngine.load(folder)


def test_a_model_that_fails_on_its_first_sentence_is_refused(make_folder: MakeFolder) -> None:
    tokens = b'{"version":"1.0","model":{"type":"WordLevel","vocab":{"a":9999,"u":9998},"unk_token":"u"},'
    tokens += b'"pre_tokenizer":{"type":"BertPreTokenizer"}}'
    folder = ModelFolder.open(make_folder(files={"tokenizer.json": tokens}))
    with pytest.raises(ModelError, match="first sentence"):
        NerEngine.load(folder)


@pytest.mark.skipif(
    not (BUNDLED / "model.onnx").exists(), reason="the bundled weights are not in this checkout"
)
def test_the_bundled_model_names_people_places_and_organisations(load: Load) -> None:
    text = "Angela Merkel met Barack Obama in Berlin, and Siemens opened an office in Madrid."
    (found,) = ask(load(BUNDLED), [text])
    assert surfaces(text, found) == [
        ("Angela Merkel", "Person"),
        ("Barack Obama", "Person"),
        ("Berlin", "Location"),
        ("Siemens", "Organization"),
        ("Madrid", "Location"),
    ]


@pytest.mark.skipif(
    not (BUNDLED / "model.onnx").exists(), reason="the bundled weights are not in this checkout"
)
def test_the_bundled_model_answers_the_same_in_any_company(load: Load) -> None:
    words = [
        "Siemens",
        "said",
        "on",
        "Monday",
        "that",
        "Karin",
        "Vogel",
        "will",
        "move",
        "from",
        "Stuttgart",
        "to",
        "Lisbon",
        "in",
        "May",
        ".",
    ]
    random = np.random.default_rng(1)
    asked = [" ".join(random.permutation(words)[: int(random.integers(1, 14))]) for _ in range(60)]
    alone = load(BUNDLED, sessions=1)
    expected = [ask(alone, [text])[0] for text in asked]
    for answers in shuffled(load(BUNDLED), asked, rounds=1):
        assert answers == expected


def test_components_of_a_folder_are_applied_to_every_text(make_folder: MakeFolder, load: Load) -> None:
    path = make_folder()
    components = Components(
        entities=(
            EntityComponents(category="Location", synonyms=("Gotham",)),
            EntityComponents(category="Signs", patterns=("[\u2693\u2694]+",)),
        )
    )
    write_manifest(path, write_components(path, components, describe(ModelFolder.open(path))))
    long = "the " * 200 + "Gotham"
    texts = ["john smith lives in Gotham and paris", "\u2693\u2693", long, ""]
    found = [surfaces(text, one) for text, one in zip(texts, ask(load(path), texts), strict=True)]
    assert found[0] == [("john smith", "Person"), ("Gotham", "Location"), ("paris", "Location")]
    assert found[1] == [("\u2693\u2693", "Signs")]
    assert found[2][-1] == ("Gotham", "Location")
    assert found[3] == []


@pytest.mark.parametrize(("language", "found"), [("de", ["Ufer"]), ("multilingual", ["bank", "Ufer"])])
def test_a_text_without_a_language_has_the_words_of_the_models_own_or_of_all(
    make_folder: MakeFolder, load: Load, language: str, found: list[str]
) -> None:
    path = make_folder(language=language)
    spoken = (
        LanguagePart(language="en", synonyms=("bank",)),
        LanguagePart(language="de", synonyms=("Ufer",)),
    )
    components = Components(entities=(EntityComponents(category="Place", by_language=spoken),))
    write_manifest(path, write_components(path, components, describe(ModelFolder.open(path))))
    text = "the bank of the Ufer"
    (answered,) = ask(load(path), [text])
    assert [surface for surface, category in surfaces(text, answered) if category == "Place"] == found
