"""A project with English documents, which the official client asks in other languages."""

import json
from pathlib import Path

import pytest
from azure.ai.textanalytics import TextAnalyticsClient
from azure.core.credentials import AzureKeyCredential

from tests.support.forked_process import run_forked_text
from tests.support.site import Site, clean_environ

PEOPLE = ("Anna Schmidt", "Peter Weber", "Maria Rossi", "John Miller", "Olga Petrova", "Wei Chen")
FIRMS = ("Contoso", "Fabrikam", "Northwind Traders", "Litware", "Adatum", "Proseware")
PLACES = ("Hamburg", "Oslo", "Lyon", "Boston", "Prague", "Osaka")
TEMPLATES = (
    "{firm} hired {person} as an engineer in {place}.",
    "In {place}, {person} signed a new contract with {firm} last week.",
    "{person} left {firm} and moved to {place} in May.",
    "The office of {firm} in {place} is led by {person}.",
    "Yesterday the board of {firm} met in {place}; {person} was absent.",
    "According to {person}, nothing will change at {firm} in {place}.",
)
ASKED = {
    "de": (
        "Die Firma Wingtip Toys stellte Karl Lehmann als Ingenieur in Dresden ein.",
        {"Employee": "Karl Lehmann", "Employer": "Wingtip Toys", "City": "Dresden"},
    ),
    "fr": (
        "Hier, Claire Dubois a quitté Tailspin pour s'installer à Marseille.",
        {"Employee": "Claire Dubois", "Employer": "Tailspin", "City": "Marseille"},
    ),
}


def english_project(home: Path) -> Path:
    """Write a multilingual project of English documents."""
    documents = home / "documents"
    documents.mkdir(parents=True)
    listed = []
    for number in range(24):
        names = {
            "person": PEOPLE[number % 6],
            "firm": FIRMS[(number // 2) % 6],
            "place": PLACES[(number // 3 + number) % 6],
        }
        text = TEMPLATES[number % 6 if number < 12 else (number + 3) % 6].format(**names)
        (documents / f"{number}.txt").write_text(text, encoding="utf-8")
        labels = [
            {"category": category, "offset": text.index(names[name]), "length": len(names[name])}
            for name, category in (("person", "Employee"), ("firm", "Employer"), ("place", "City"))
        ]
        entities = [{"regionOffset": 0, "regionLength": len(text), "labels": labels}]
        listed.append({"location": f"{number}.txt", "language": "en", "entities": entities})
    project = {
        "projectFileVersion": "2022-05-01",
        "stringIndexType": "Utf16CodeUnit",
        "metadata": {
            "projectKind": "CustomEntityRecognition",
            "projectName": "staff",
            "language": "en",
            "multilingual": True,
        },
        "assets": {
            "projectKind": "CustomEntityRecognition",
            "entities": [{"category": category} for category in ("Employee", "Employer", "City")],
            "documents": listed,
        },
    }
    (home / "project.json").write_text(json.dumps(project), encoding="utf-8")
    return home / "project.json"


@pytest.mark.e2e
def test_a_project_with_english_documents_answers_in_german_and_french(site: Site, tmp_path: Path) -> None:
    project = english_project(tmp_path / "staff")
    model = tmp_path / "models" / "staff" / "v1"
    words = ("train", project, "--documents", project.parent / "documents", "--out", model)
    done = run_forked_text("appliance", [*map(str, words)], environ=clean_environ(), timeout=200)
    assert done.returncode == 0, done.stderr
    assert "the encoder of many languages was taken: the project is multilingual" in done.stdout
    site.issue()
    service = site.start(f"Models:Path={tmp_path / 'models'}")
    official = TextAnalyticsClient(service.url, AzureKeyCredential("unused"))
    documents = [
        {"id": language, "language": language, "text": text} for language, (text, _) in ASKED.items()
    ]
    for answer in official.begin_recognize_custom_entities(documents, "staff", "v1").result():
        assert not answer.is_error
        assert answer.warnings == []
        found = {entity.category: entity.text for entity in answer.entities}
        assert found == ASKED[answer.id][1]
