"""The unmodified `azure-ai-textanalytics` client against a running service."""

import pytest
from azure.ai.textanalytics import (
    DocumentError,
    RecognizeCustomEntitiesAction,
    RecognizeEntitiesAction,
    TextAnalyticsClient,
)
from azure.core.credentials import AzureKeyCredential
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

from tests.support.site import Service

TEXTS = [
    "Angela Merkel met reporters from Reuters in Berlin.",
    "\U0001f469\u200d\U0001f680 Ada flew to Oslo.",
]


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


def test_twenty_five_documents_arrive_over_two_pages_in_order(official: TextAnalyticsClient) -> None:
    poller = official.begin_recognize_custom_entities([TEXTS[0]] * 25, "demo", "production")
    assert [d.id for d in poller.result()] == [str(n) for n in range(25)]


def test_prebuilt_recognition_is_answered_at_once_with_document_errors_in_place(
    official: TextAnalyticsClient,
) -> None:
    documents = official.recognize_entities([TEXTS[0], "", TEXTS[1]], string_index_type="Utf16CodeUnit")
    assert [d.is_error for d in documents] == [False, True, False]
    failed = documents[1]
    assert isinstance(failed, DocumentError)
    assert failed.error.code == "InvalidDocument"


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


def test_an_unknown_deployment_is_resource_not_found(official: TextAnalyticsClient) -> None:
    with pytest.raises(ResourceNotFoundError):
        official.begin_recognize_custom_entities(TEXTS, "demo", "nowhere")


def test_too_many_documents_show_the_inner_code(official: TextAnalyticsClient) -> None:
    with pytest.raises(HttpResponseError) as caught:
        official.recognize_entities(["a"] * 6)
    assert caught.value.error is not None
    assert caught.value.error.code == "InvalidDocumentBatch"
