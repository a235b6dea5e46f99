"""Documents and labels one at a time, over a real socket: what the label page calls."""

import base64
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.authoring.conftest import BASE, Author, Start
from tests.support.site import Service

pytestmark = pytest.mark.e2e
TEXTS = BASE.rpartition("/")[0] + "/labelled-texts"
ANNA = "🙂 Anna met Bert."
LABEL = {"category": "Person", "offset": 3, "length": 4}
BERT = {"category": "Person", "offset": 12, "length": 4}


@pytest.fixture(scope="module")
def author(start: Start, documents: Path) -> Author:
    return start(f"Authoring:Documents={documents}")[1]


@pytest.fixture
def project(author: Author, request: pytest.FixtureRequest) -> str:
    """Path of a new project with one text and one category."""
    name = f"p{abs(hash(request.node.name))}"
    assert author.call("PATCH", f"{BASE}/{name}", {"language": "en"}).status_code == 201
    taken = author.call("POST", f"{BASE}/{name}/documents/:take", {"files": [{"name": "a", "text": ANNA}]})
    assert taken.json()["added"] == 1, taken.text
    assert author.call("PUT", f"{BASE}/{name}/categories", {"categories": ["Person"]}).status_code == 200
    return f"{BASE}/{name}"


def save(author: Author, project: str, *labels: dict[str, Any], **query: str) -> Any:
    return author.call("PUT", f"{project}/document", {"labels": labels}, location="a.txt", **query)


def test_a_text_is_kept_labelled_and_exported(author: Author, project: str, documents: Path) -> None:
    name = project.rpartition("/")[2]
    assert (documents / name / "a.txt").read_text() == ANNA
    opened = author.call("GET", f"{project}/document", location="a.txt").json()
    assert (opened["text"], opened["labels"], opened["labelled"]) == (ANNA, [], False)
    saved = save(author, project, LABEL)
    assert saved.status_code == 200
    assert saved.json()["labelled"]
    assert "text" not in saved.json()
    listed = author.call("GET", f"{project}/documents").json()
    assert listed["categories"] == ["Person"]
    assert [(one["location"], one["labelCount"]) for one in listed["documents"]] == [("a.txt", 1)]
    job = author.done("POST", f"{project}/:export", stringIndexType="Utf16CodeUnit")
    file = author.client.get(job["resultUrl"]).json()
    (document,) = file["assets"]["documents"]
    region = {"regionOffset": 0, "regionLength": 17, "labels": [LABEL]}
    assert document["entities"] == [region]
    assert file["metadata"]["storageInputContainerName"] == name
    author.done("POST", f"{BASE}/again/:import", file)
    again = author.call("GET", f"{BASE}/again/document", location="a.txt").json()
    assert (again["text"], again["labels"]) == (ANNA, [LABEL])


def test_who_saves_over_somebody_elses_labels_is_told(author: Author, project: str) -> None:
    first = author.call("GET", f"{project}/document", location="a.txt").json()["revision"]
    params = {"api-version": "2023-04-01", "location": "a.txt"}

    def put(revision: str, *labels: dict[str, Any]) -> Any:
        return author.client.put(
            f"{project}/document",
            params=params,
            json={"labels": labels},
            headers={"If-Match": f'"{revision}"'},
        )

    second = put(first, LABEL)
    assert second.status_code == 200
    refused = put(first, BERT)
    assert (refused.status_code, refused.json()["error"]["code"]) == (412, "LabelsChanged")
    assert put(second.json()["revision"], BERT).status_code == 200
    # Who had no answer to this sends it again, and is no stranger to it.
    again = put(second.json()["revision"], BERT)
    assert (again.status_code, again.json()["labels"]) == (200, [BERT])


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ([{**LABEL, "offset": 2}], "white space"),
        ([LABEL, {**LABEL, "offset": 5, "length": 6}], "overlaps"),
        ([{**LABEL, "offset": 1}], "cuts a character"),
        ([{**LABEL, "category": "Ship"}], "Ship"),
        ([{"category": "Person", "offset": "x", "length": 1}], "labels.0"),
    ],
)
def test_a_label_that_cannot_be_is_refused_and_nothing_changes(
    author: Author, project: str, labels: list[dict[str, Any]], said: str
) -> None:
    refused = save(author, project, *labels)
    assert refused.status_code == 400
    assert said in refused.text
    assert "Anna" not in refused.text
    assert author.call("GET", f"{project}/document", location="a.txt").json()["labels"] == []


def test_a_second_person_labels_apart_and_both_are_compared(author: Author, project: str) -> None:
    save(author, project, LABEL, BERT)
    blind = author.call("GET", f"{project}/document", location="a.txt", person="bea").json()
    assert (blind["labels"], blind["labelled"]) == ([], False)
    save(author, project, LABEL, person="bea")
    listed = author.call("GET", f"{project}/documents", person="bea").json()
    assert listed["people"] == ["bea"]
    assert listed["documents"][0]["labelCount"] == 1
    found = author.call("GET", f"{project}/agreement", person="bea").json()
    assert (found["documentCount"], found["first"], found["second"], found["same"]) == (1, 2, 1, 1)
    assert found["f1"] == pytest.approx(2 / 3)
    assert 0 < found["kappa"] < 1
    assert found["documents"] == [{"location": "a.txt", "same": False}]
    own = author.call("GET", f"{project}/document", location="a.txt").json()
    assert own["labels"] == [LABEL, BERT]


def test_answers_of_two_models_are_compared_with_the_labels(author: Author, project: str) -> None:
    save(author, project, LABEL, BERT)
    first = {"name": "one", "entities": {"a.txt": [LABEL, BERT]}}
    second = {"name": "two", "entities": {"a.txt": [LABEL, {**BERT, "offset": 1}], "gone.txt": []}}
    found = author.call("POST", f"{project}/comparison", {"first": first, "second": second}).json()
    assert (found["a"], found["b"], found["documents"]) == ("one", "two", 1)
    assert (found["all"]["f1A"], found["all"]["f1B"]) == (1.0, pytest.approx(2 / 3))
    assert [one["sentence"] for one in found["shown"]] == ["🙂 Anna met [Bert]."]
    alone = author.call("POST", f"{project}/comparison", {"first": second}).json()
    assert (alone["all"]["f1A"], alone["entitiesThatDiffer"]) == (pytest.approx(2 / 3), 0)
    nothing = {"first": first, "second": {"name": "none", "entities": {}}}
    refused = author.call("POST", f"{project}/comparison", nothing)
    assert refused.status_code == 400
    assert "no labelled text" in refused.text


def test_models_are_compared_on_labelled_files_of_no_project_and_nothing_is_kept(
    author: Author, documents: Path
) -> None:
    sent = '{"text": "🙂 Eva met Bo.", "entities": [{"start": 2, "end": 6, "label": "Person"}]}\n'
    files = [{"name": "test.jsonl", "text": sent}, {"name": "bare.txt", "text": "no label"}]
    before = sorted(documents.rglob("*"))
    found = author.call("POST", f"{TEXTS}/:read", {"files": files}).json()
    (text,) = found["documents"]
    eva = {"category": "Person", "offset": 3, "length": 3}
    assert (text["text"], text["labels"]) == ("🙂 Eva met Bo.", [eva]), "the space at the end is left out"
    bo = {**eva, "offset": 11, "length": 2}
    answers = [
        {"name": n, "entities": {text["location"]: e}} for n, e in (("one", [eva]), ("two", [eva, bo]))
    ]
    asked = {"documents": [text], "first": answers[0], "second": answers[1]}
    compared = author.call("POST", f"{TEXTS}/:compare", asked).json()
    assert (compared["all"]["f1A"], compared["all"]["f1B"]) == (1.0, pytest.approx(2 / 3))
    assert [one["sentence"] for one in compared["shown"]] == ["🙂 Eva met [Bo]."]
    assert sorted(documents.rglob("*")) == before


def test_labelled_texts_that_cannot_be_compared_are_refused_in_words(author: Author) -> None:
    text = {"location": "a", "text": ANNA, "labels": [LABEL]}
    first = {"name": "one", "entities": {"a": []}}
    beyond = {**text, "labels": [{**LABEL, "offset": 300}]}
    for documents, answers, words in (
        ([text, text], first, "two texts have one location"),
        ([text], {**first, "entities": {}}, "one has no answer for a"),
        ([beyond], first, "300"),
        ([], first, "documents"),
    ):
        refused = author.call("POST", f"{TEXTS}/:compare", {"documents": documents, "first": answers})
        assert refused.status_code == 400
        assert words in refused.text
    for files in ([{"name": "bare.txt", "text": "no label"}], [{"name": "a.jsonl", "text": "{}"}] * 2):
        assert author.call("POST", f"{TEXTS}/:read", {"files": files}).status_code == 400


def test_a_category_in_use_stays_and_others_go(author: Author, project: str) -> None:
    save(author, project, LABEL)
    refused = author.call("PUT", f"{project}/categories", {"categories": ["Ship"]})
    assert refused.status_code == 400
    assert "labels use the category Person" in refused.text
    changed = author.call("PUT", f"{project}/categories", {"categories": ["Ship", "Person"]})
    assert changed.json()["categories"] == ["Ship", "Person"]


def test_who_changes_categories_that_somebody_else_changed_is_told(author: Author, project: str) -> None:
    def put(*wanted: str, before: list[str]) -> Any:
        return author.call("PUT", f"{project}/categories", {"categories": wanted, "before": before})

    assert put("Person", "Ship", before=["Person"]).json()["categories"] == ["Person", "Ship"]
    refused = put("Person", "Port", before=["Person"])
    assert (refused.status_code, refused.json()["error"]["code"]) == (412, "CategoriesChanged")
    assert put("Person", "Ship", "Port", before=["Person", "Ship"]).status_code == 200


def test_files_are_read_by_content_and_never_twice(author: Author, project: str) -> None:
    utf16 = base64.b64encode("Grüße an Eva.".encode("utf-16")).decode()
    files = [{"name": "b.txt", "data": utf16}, {"name": "a.txt", "text": ANNA}]
    sent = '{"text": "Eva sang.", "entities": [{"start": 0, "end": 3, "label": "Singer"}]}\n'
    files.append({"name": "c.jsonl", "text": sent})
    taken = author.call("POST", f"{project}/documents/:take", {"files": files})
    assert taken.json()["added"] == 2, taken.text
    assert any("were there already" in line for line in taken.json()["notes"])
    listed = author.call("GET", f"{project}/documents").json()
    assert listed["categories"] == ["Person", "Singer"]
    assert {one["location"]: one["labelCount"] for one in listed["documents"]} == {
        "a.txt": 0,
        "b.txt": 0,
        "c.jsonl_1.txt": 1,
    }
    opened = author.call("GET", f"{project}/document", location="b.txt").json()
    assert opened["text"] == "Grüße an Eva."


def test_a_document_is_taken_out_and_its_text_stays(author: Author, project: str, documents: Path) -> None:
    save(author, project, LABEL, person="bea")
    gone = author.call("DELETE", f"{project}/document", location="a.txt")
    assert gone.status_code == 204
    assert author.call("GET", f"{project}/document", location="a.txt").status_code == 404
    listed = author.call("GET", f"{project}/documents").json()
    assert (listed["documents"], listed["people"]) == ([], [])
    assert (documents / project.rpartition("/")[2] / "a.txt").exists()


@pytest.mark.parametrize(
    ("method", "path", "body", "query", "status"),
    [
        ("GET", "document", None, {"location": "../../etc/passwd"}, 404),
        ("GET", "document", None, {}, 400),
        ("GET", "document", None, {"location": "a.txt", "person": "../x"}, 400),
        ("PUT", "document", {"labels": [], "dataset": "Dev"}, {"location": "a.txt"}, 400),
        ("PUT", "document", {}, {"location": "a.txt"}, 400),
        ("POST", "documents/:take", {"files": []}, {}, 400),
        ("POST", "documents/:take", {"files": [{"name": "a", "data": "?"}]}, {}, 400),
        ("POST", "documents/:take", {"files": [{"name": "x.json", "text": '[{"a": 1}]'}]}, {}, 400),
        ("GET", "agreement", None, {}, 400),
        ("PUT", "categories", {"categories": [""]}, {}, 400),
    ],
)
def test_what_makes_no_sense_is_refused(
    author: Author, project: str, method: str, path: str, body: Any, query: dict[str, str], status: int
) -> None:
    reply = author.call(method, f"{project}/{path}", body, **query)
    assert reply.status_code == status, reply.text
    assert reply.json()["error"]["code"]


def test_without_the_key_nothing_is_shown(start: Start, author: Author, project: str) -> None:
    with author.client.__class__(base_url=author.client.base_url, trust_env=False) as stranger:
        for path in ("documents", "document", "agreement"):
            reply = stranger.get(f"{project}/{path}", params={"api-version": "2023-04-01"})
            assert reply.status_code == 401


def test_a_page_elsewhere_reads_and_changes_nothing_even_with_the_key(author: Author, project: str) -> None:
    before = author.call("GET", f"{project}/documents").json()
    for method, path in (
        ("GET", "/documents"),
        ("POST", "/documents/:take"),
        ("PUT", "/document"),
        ("DELETE", "/document"),
        ("PUT", "/categories"),
        ("POST", "/:train"),
        ("PUT", "/deployments/x"),
        ("POST", "/deployments/x/card"),
        ("DELETE", ""),
    ):
        for origin in ("https://evil.example", "null"):
            headers = {"Origin": origin, "Content-Type": "text/plain"}
            params = {"api-version": "2023-04-01", "location": "a.txt"}
            reply = author.client.request(
                method, project + path, params=params, content="{}", headers=headers
            )
            assert (reply.status_code, reply.json()["error"]["code"]) == (403, "OriginNotAllowed"), path
            assert "access-control-allow-origin" not in reply.headers
    assert author.call("GET", f"{project}/documents").json() == before


def test_a_folder_that_cannot_be_written_is_named_and_the_project_stays(start: Start, tmp_path: Path) -> None:
    (tmp_path / "documents").write_text("a file in the place of the folder")
    service, author = start(f"Authoring:Documents={tmp_path / 'documents'}")
    assert isinstance(service, Service)
    author.call("PATCH", f"{BASE}/full", {"language": "en"})
    taken = author.call("POST", f"{BASE}/full/documents/:take", {"files": [{"name": "a", "text": ANNA}]})
    assert taken.status_code == 503
    assert "Authoring:Documents" in taken.text
    assert author.call("GET", f"{BASE}/full/documents").json()["documents"] == []
