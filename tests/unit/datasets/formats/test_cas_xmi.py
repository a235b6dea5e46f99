"""UIMA CAS XMI of strangers: labels by layer, nothing expanded, nothing lost in silence."""

from pathlib import Path

import pytest

from appliance.datasets.document import Label, Labelled, LabelledDocument
from appliance.datasets.formats.format import ReadOptions, SourceFile
from appliance.datasets.formats.label_files import read_file
from appliance.datasets.formats.label_writer import files_of
from appliance.datasets.formats.spans.cas_xmi import CAS_XMI
from appliance.datasets.label_errors import RELATIONS, DatasetError
from tests.unit.datasets.formats.samples import TEXT, XMI


def read(text: str) -> tuple[list[tuple[str, str]], list[str]]:
    contents = CAS_XMI.read(SourceFile("a.xmi", text.encode()), ReadOptions())
    found = [
        (one.category, document.text[one.start : one.end])
        for document in contents.documents
        for one in document.spans
    ]
    return found, [*contents.notes, *(mistake.reason for mistake in contents.mistakes)]


def test_the_layer_named_entity_is_read_and_others_are_named() -> None:
    assert read(XMI) == ([("PER", "Anna Lee"), ("ORG", "Acme")], ["layers that are left out: Role"])
    contents = CAS_XMI.read(SourceFile("a.xmi", XMI.encode()), ReadOptions())
    assert contents.documents[0].language == "en"


def test_a_label_without_a_value_has_the_name_of_its_type() -> None:
    bare = XMI.replace(' value="PER"', "").replace('<t:NamedEntity xmi:id="10"', '<t:Person xmi:id="10"')
    bare = bare.replace(' value="ORG"', ' identifier="http://example.org/1"')
    labels, notes = read(bare)
    assert labels == [("NamedEntity", "Anna Lee"), ("Person", "Acme")]
    assert "1 labels of the layer Person have no value: Person is their category" in notes


def test_ties_between_labels_are_what_cannot_be_carried() -> None:
    own = XMI.replace("t:NamedEntity", "custom:Name")
    tied = own.replace('role="verb"', 'role="x" Governor="9" Dependent="10"')
    contents = CAS_XMI.read(SourceFile("a.xmi", tied.encode()), ReadOptions())
    (mistake,) = contents.mistakes
    assert (mistake.kind, "the Role ties labels" in mistake.reason) == (RELATIONS, True)


@pytest.mark.parametrize(
    "head",
    [
        '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>',
        '<!DOCTYPE x SYSTEM "file:///etc/passwd">',
        '<!DOCTYPE x [<!ENTITY % p SYSTEM "http://127.0.0.1:1/x"> %p;]>',
    ],
)
def test_a_document_type_is_refused_before_anything_is_expanded(head: str, tmp_path: Path) -> None:
    declaration, _, rest = XMI.partition("?>")
    path = tmp_path / "a.xmi"
    path.write_text(f"{declaration}?>{head}{rest.replace(TEXT, '&b;')}")
    with pytest.raises(DatasetError) as caught:
        read_file(path)
    assert "document type" in caught.value.message or "not read here" in caught.value.message
    with pytest.raises(DatasetError, match="declares a document type"):
        CAS_XMI.read(SourceFile("a.xmi", path.read_bytes()), ReadOptions())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (XMI[:-20], "no XML that can be read"),
        (XMI.replace("Anna Lee joined", "Anna &undeclared; joined"), "no XML that can be read"),
        (XMI.replace("sofaString", "sofaURI"), "holds no text"),
        (
            XMI.replace("t:NamedEntity", "c:Drug")
            .replace("custom:Role", "c:Dose")
            .replace("xmlns:custom=", 'xmlns:c="http:///org/clinic.ecore" xmlns:custom='),
            "its types are Drug, Dose",
        ),
    ],
)
def test_what_holds_no_labels_is_refused_by_name(text: str, said: str) -> None:
    with pytest.raises(DatasetError, match=said):
        read(text)


def test_wrong_offsets_are_mistakes() -> None:
    _, notes = read(XMI.replace('begin="0" end="8"', 'begin="-1" end="8"'))
    assert "the NamedEntity has no text, or offsets that are no numbers" in notes


def test_utf16_is_read_whatever_the_file_says_of_itself(tmp_path: Path) -> None:
    path = tmp_path / "a.xmi"
    path.write_bytes(XMI.encode("utf-16"))
    assert read_file(path)[0].labels == (Label(0, 8, "PER"), Label(16, 20, "ORG"))


def test_characters_that_xml_cannot_hold_are_not_written() -> None:
    document = LabelledDocument(name="x", text="a\x0bb", labels=(Label(0, 1, "P"),))
    labelled = Labelled(name="x", categories=("P",), documents=(document,))
    with pytest.raises(DatasetError, match=r"U\+000B, which XML cannot"):
        files_of(labelled, CAS_XMI)
