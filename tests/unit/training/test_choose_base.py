"""Which bundled encoder a project gets where nobody named one, and how it says why."""

import re
from pathlib import Path

import pytest

from appliance.datasets.document import Labelled, LabelledDocument
from appliance.datasets.formats.label_files import read_file
from appliance.training.choose_base import ChosenBase, base_for_languages, choose_base
from tests.unit.training.test_train import jsonl


def project(*texts: str, language: str = "", multilingual: bool = False) -> Labelled:
    documents = tuple(
        LabelledDocument(name=str(number), text=text, labels=()) for number, text in enumerate(texts)
    )
    return Labelled(
        name="p", categories=("A",), documents=documents, language=language, multilingual=multilingual
    )


@pytest.mark.parametrize(
    ("labelled", "reason"),
    [
        (project("The loan is granted.", language="en-GB", multilingual=True), "the project is multilingual"),
        (project("Das Darlehen.", language="de"), "documents are in de"),
        (project("贷款由银行发放", language="en"), r"\d\d% of the tokens are unknown to the English one"),
        (
            project("Rettighedshaverne underskrev aftalen med virksomheden."),
            r"the English one cuts a word into \d\.\d pieces",
        ),
        (project("The loan is granted by Contoso Bank.", language="en-GB"), ""),
        (project("The loan is granted by Contoso Bank.", language="EN_us"), ""),
        (project("The loan is granted by Contoso Bank.", language="auto"), ""),
        (project("The loan is granted by Contoso Bank.", language="und"), ""),
    ],
)
def test_documents_that_the_english_encoder_reads_badly_need_the_other_one(
    labelled: Labelled, reason: str
) -> None:
    said = base_for_languages(labelled, labelled.documents)
    assert re.fullmatch(reason, said)


def chosen(tmp_path: Path, count: int) -> ChosenBase:
    documents = tuple(read_file(jsonl(tmp_path / "ships.jsonl", count)))
    labelled = Labelled(name="ships", categories=("Seller", "Ship"), documents=documents, language="en")
    found = choose_base(labelled, documents, seed=1, place=tmp_path / "models", told=lambda *_: None)
    assert not (tmp_path / "models").exists() or not list((tmp_path / "models").iterdir())
    return found


def test_english_documents_are_learnt_from_each_encoder_and_f1_decides(tmp_path: Path) -> None:
    found = chosen(tmp_path, 8)
    english, many = found.candidates
    better = many.f1 > english.f1 + 0.005
    assert found.base.name == ("multi" if better else "en")
    assert f"{100 * english.f1:.1f} with en and {100 * many.f1:.1f} with multi" in found.why
    assert found.as_object()["f1"] == {"en": english.f1, "multi": many.f1}


def test_too_few_english_documents_get_the_english_encoder(tmp_path: Path) -> None:
    found = chosen(tmp_path, 4)
    assert (found.base.name, found.candidates) == ("en", ())
    assert "too few to compare" in found.why
    assert found.as_object()["f1"] == {}
