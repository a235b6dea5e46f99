"""The unmodified `azure-ai-textanalytics` client against a running service, synchronous and asynchronous."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from azure.ai.textanalytics import (
    DocumentError,
    RecognizeCustomEntitiesAction,
    RecognizeEntitiesAction,
    TextAnalyticsClient,
)
from azure.ai.textanalytics.aio import TextAnalyticsClient as AsyncTextAnalyticsClient
from azure.core.credentials import AzureKeyCredential
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.core.pipeline.transport import RequestsTransport

from tests.support.index_units import cut
from tests.support.site import Service, Site

TEXTS = [
    "Angela Merkel met reporters from Reuters in Berlin.",
    "\U0001f469\u200d\U0001f680 Ada flew to Oslo.",
]
NAMES = ("demo", "production")
FLAG = "\U0001f1f3\U0001f1f4"
MIXED = f"Ma\u0301rta {FLAG} met \U0001f469\U0001f3fd\u200d\U0001f52c Angela Merkel\r\nin Berlin."
UNITS = ["UnicodeCodePoint", "Utf16CodeUnit", "TextElement_v8", "TextElements_v8"]


@pytest.fixture
def official(service: Service) -> TextAnalyticsClient:
    return TextAnalyticsClient(service.url, AzureKeyCredential("unused"))


def test_custom_entities_are_recognised_through_a_poller(official: TextAnalyticsClient) -> None:
    poller = official.begin_recognize_custom_entities(
        TEXTS, "demo", "production", show_stats=True, display_name="demo job"
    )
    documents = [d for d in poller.result() if not d.is_error]
    assert [e.text for e in documents[0].entities] == ["Angela Merkel", "Reuters", "Berlin"]
    for text, document in zip(TEXTS, documents, strict=True):
        for entity in document.entities:
            assert text[entity.offset : entity.offset + entity.length] == entity.text
    assert documents[0].statistics is not None
    assert documents[0].statistics.transaction_count == 1
    assert poller.details["display_name"] == "demo job"
    assert poller.details["expires_on"] - poller.details["created_on"] == timedelta(hours=24)


@pytest.mark.parametrize("unit", UNITS)
def test_every_string_index_type_cuts_out_the_entity(official: TextAnalyticsClient, unit: str) -> None:
    poller = official.begin_recognize_custom_entities([MIXED], "demo", "production", string_index_type=unit)
    (document,) = poller.result()
    assert not document.is_error
    assert {"Angela Merkel", "Berlin"} <= {e.text for e in document.entities}
    for entity in document.entities:
        assert cut(MIXED, unit, entity.offset, entity.length) == entity.text


@pytest.mark.parametrize("version", ["2022-05-01", "2023-04-01", "v3.1"])
def test_every_api_version_of_the_client_is_served(service: Service, version: str) -> None:
    client = TextAnalyticsClient(service.url, AzureKeyCredential("unused"), api_version=version)
    assert [d.is_error for d in client.recognize_entities(TEXTS)] == [False, False]
    actions = client.begin_analyze_actions([TEXTS[0]] * 25, actions=[RecognizeEntitiesAction()])
    assert [r.id for (r,) in actions.result()] == [str(n) for n in range(25)]


def test_twenty_five_documents_arrive_over_two_pages_in_order(official: TextAnalyticsClient) -> None:
    poller = official.begin_recognize_custom_entities([TEXTS[0]] * 25, "demo", "production", show_stats=True)
    documents = list(poller.result())
    assert [d.id for d in documents] == [str(n) for n in range(25)]
    assert all(d.statistics is not None for d in documents if not d.is_error)


class Waiting(RequestsTransport):  # type: ignore[misc]
    """The client's own transport; remembers how long the client meant to wait between two questions."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float] = []

    def sleep(self, duration: float) -> None:
        self.waits.append(duration)
        super().sleep(duration)


def test_a_job_of_a_moment_does_not_wait_for_the_clients_five_seconds(service: Service) -> None:
    transport = Waiting()
    client = TextAnalyticsClient(service.url, AzureKeyCredential("unused"), transport=transport)
    list(client.begin_recognize_custom_entities([TEXTS[0] * 20] * 5, "demo", "production").result())
    assert all(wait < 5 for wait in transport.waits)  # none at all where the first question finds it done


def test_a_saved_continuation_token_finds_the_job_again(official: TextAnalyticsClient) -> None:
    poller = official.begin_recognize_custom_entities(TEXTS, "demo", "production")
    token = poller.continuation_token()
    again = official.begin_recognize_custom_entities(TEXTS, "demo", "production", continuation_token=token)
    assert [d.id for d in again.result()] == ["0", "1"]


def test_prebuilt_recognition_is_answered_at_once_with_document_errors_in_place(
    official: TextAnalyticsClient,
) -> None:
    documents = official.recognize_entities([TEXTS[0], "", TEXTS[1]], string_index_type="Utf16CodeUnit")
    assert [d.is_error for d in documents] == [False, True, False]
    failed = documents[1]
    assert isinstance(failed, DocumentError)
    assert failed.error.code == "InvalidDocument"


def test_an_only_document_without_text_is_a_document_error(official: TextAnalyticsClient) -> None:
    (only,) = official.recognize_entities([""], show_stats=True)
    assert isinstance(only, DocumentError)
    assert (only.id, only.error.code) == ("0", "InvalidDocument")
    assert only.error.message == "Document text is empty."


def test_a_job_has_document_errors_in_place_too(official: TextAnalyticsClient) -> None:
    poller = official.begin_recognize_custom_entities(["", *TEXTS], "demo", "production")
    documents = list(poller.result())
    assert [d.is_error for d in documents] == [True, False, False]
    assert documents[0].error.code == "InvalidDocument"  # type: ignore[union-attr]


def test_very_long_words_are_warned_of(official: TextAnalyticsClient) -> None:
    (document,) = official.recognize_entities(["Angela Merkel " + "x" * 70])
    assert not document.is_error
    assert [w.code for w in document.warnings] == ["LongWordsInDocument"]


def test_a_language_the_model_was_not_made_for_and_text_it_cannot_read_are_warned_of(site: Site) -> None:
    site.issue()
    service = site.start("Models:General=en")
    official = TextAnalyticsClient(service.url, AzureKeyCredential("unused"))
    chinese = "\u4e60\u8fd1\u5e73\u5728\u5317\u4eac\u4f1a\u89c1\u4e86\u8bb0\u8005\u3002"
    poller = official.begin_recognize_custom_entities([chinese], "demo", "production", language="zh-Hans")
    answers = [*official.recognize_entities([chinese], language="zh-Hans"), *poller.result()]
    for document in answers:
        assert not document.is_error
        assert [w.code for w in document.warnings] == ["UnsupportedLanguage", "UnknownTokens"]
    (plain,) = official.recognize_entities(TEXTS[:1])
    assert plain.warnings == []


def test_actions_of_both_kinds_run_in_one_job(official: TextAnalyticsClient) -> None:
    poller = official.begin_analyze_actions(
        TEXTS, actions=[RecognizeCustomEntitiesAction("demo", "production"), RecognizeEntitiesAction()]
    )
    results = [[r.kind for r in per_document] for per_document in poller.result()]
    assert results == [["CustomEntityRecognition", "EntityRecognition"]] * 2


def test_a_cancelled_job_gives_one_error_per_document(official: TextAnalyticsClient) -> None:
    poller = official.begin_recognize_custom_entities([TEXTS[0] * 90] * 25, "demo", "production")
    poller.cancel()
    documents = list(poller.result())
    assert len(documents) == 25
    assert all(d.is_error for d in documents)


def test_a_finished_job_cannot_be_cancelled(official: TextAnalyticsClient) -> None:
    poller = official.begin_recognize_custom_entities(TEXTS, "demo", "production")
    list(poller.result())
    with pytest.raises(HttpResponseError):
        poller.cancel()


Refused = Callable[[TextAnalyticsClient], Any]


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda c: c.recognize_entities(["a"] * 6), "InvalidDocumentBatch"),
        (
            lambda c: c.begin_recognize_custom_entities(["a"] * 26, "demo", "production"),
            "InvalidDocumentBatch",
        ),
        (lambda c: c.begin_recognize_custom_entities([""], "demo", "production"), "InvalidDocumentBatch"),
        (lambda c: c.recognize_entities([{"id": "1", "text": "a"}] * 2), "InvalidDocument"),
        (lambda c: c.recognize_entities([{"id": "", "text": "a"}]), "InvalidDocument"),
        (lambda c: c.recognize_entities(["a"], model_version="1999"), "ModelVersionIncorrect"),
    ],
)
def test_a_refused_call_shows_the_inner_code(official: TextAnalyticsClient, call: Refused, code: str) -> None:
    with pytest.raises(HttpResponseError) as caught:
        call(official)
    assert caught.value.error is not None
    assert caught.value.error.code == code


def test_an_unknown_deployment_is_resource_not_found(official: TextAnalyticsClient) -> None:
    with pytest.raises(ResourceNotFoundError):
        official.begin_recognize_custom_entities(TEXTS, "demo", "nowhere")


# The same through the asynchronous client.

Scenario = Callable[[AsyncTextAnalyticsClient], Awaitable[None]]


@pytest.fixture
def asynchronously(service: Service) -> Callable[[Scenario], None]:
    async def drive(scenario: Scenario) -> None:
        client = AsyncTextAnalyticsClient(service.url, AzureKeyCredential("unused"))
        async with client:
            await scenario(client)

    return lambda scenario: asyncio.run(drive(scenario))


def test_the_async_client_recognises_pages_and_counts(asynchronously: Callable[[Scenario], None]) -> None:
    async def scenario(client: AsyncTextAnalyticsClient) -> None:
        poller = await client.begin_recognize_custom_entities(
            [TEXTS[0]] * 25, "demo", "production", show_stats=True
        )
        documents = [document async for document in await poller.result()]
        assert [d.id for d in documents] == [str(n) for n in range(25)]
        assert [e.text for e in documents[24].entities] == ["Angela Merkel", "Reuters", "Berlin"]
        sync = await client.recognize_entities([TEXTS[0], ""])
        assert [d.is_error for d in sync] == [False, True]

    asynchronously(scenario)


@pytest.mark.parametrize("unit", UNITS)
def test_the_async_client_cuts_in_every_unit(asynchronously: Callable[[Scenario], None], unit: str) -> None:
    async def scenario(client: AsyncTextAnalyticsClient) -> None:
        (document,) = await client.recognize_entities([MIXED], string_index_type=unit)
        assert not document.is_error
        for entity in document.entities:
            assert cut(MIXED, unit, entity.offset, entity.length) == entity.text

    asynchronously(scenario)


def test_the_async_client_runs_actions_cancels_and_sees_refusals(
    asynchronously: Callable[[Scenario], None],
) -> None:
    async def scenario(client: AsyncTextAnalyticsClient) -> None:
        actions = await client.begin_analyze_actions(
            TEXTS, actions=[RecognizeCustomEntitiesAction("demo", "production"), RecognizeEntitiesAction()]
        )
        kinds = [[r.kind for r in per_document] async for per_document in await actions.result()]
        assert kinds == [["CustomEntityRecognition", "EntityRecognition"]] * 2
        long = await client.begin_recognize_custom_entities([TEXTS[0] * 90] * 25, "demo", "production")
        await long.cancel()
        assert [d.is_error async for d in await long.result()] == [True] * 25
        with pytest.raises(ResourceNotFoundError):
            await client.begin_recognize_custom_entities(TEXTS, "nowhere", "production")
        with pytest.raises(HttpResponseError) as caught:
            await client.recognize_entities(["a"] * 6)
        assert caught.value.error is not None
        assert caught.value.error.code == "InvalidDocumentBatch"

    asynchronously(scenario)


def test_fifty_jobs_of_the_async_client_at_once_all_end(asynchronously: Callable[[Scenario], None]) -> None:
    async def scenario(client: AsyncTextAnalyticsClient) -> None:
        async def one(number: int) -> None:
            poller = await client.begin_recognize_custom_entities(
                TEXTS * (1 + number % 3), "demo", "production"
            )
            documents = [d async for d in await poller.result()]
            assert not any(d.is_error for d in documents)

        await asyncio.gather(*(one(number) for number in range(50)))

    asynchronously(scenario)
