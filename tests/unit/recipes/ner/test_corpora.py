import json
from pathlib import Path

from recipes.ner.corpora import (
    BLOCK,
    CROSSNER,
    GENERAL,
    OTHER,
    SERVED_ELSEWHERE,
    UNKNOWN,
    Span,
    read_corpora,
    read_file,
    sentence,
)


def write(path: Path, sentences: list[list[tuple[str, str]]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "\n".join("".join(f"{token}\t{tag}\n" for token, tag in rows) for rows in sentences)
    path.write_text(text + "\n", encoding="utf-8")


def people(prefix: str, count: int) -> list[list[tuple[str, str]]]:
    return [[(f"{prefix}{number}", "B-PER"), ("sleeps", "O")] for number in range(count)]


def corpora(root: Path, share_alike: int = 150) -> Path:
    for name in GENERAL:
        write(root / "general" / name / "train.conll", people(name, 3))
    write(root / "general" / "wikigold" / "dev.conll", people("held", 2))
    merged = [rows for name in GENERAL for rows in people(name, 3)]
    write(root / "general" / "merged" / "train.conll", merged)
    write(root / "general" / "merged" / "dev.conll", people("held", 2))
    addition = root / "general-sharealike"
    write(addition / "uner-ewt" / "dev.conll", people("ewt", share_alike))
    for domain in CROSSNER:
        write(addition / "crossner" / domain / "train.conll", [])
    write(addition / "merged-addition" / "train.conll", people("ewt", share_alike))
    return root


def test_tokens_are_joined_by_spaces_and_tags_become_code_point_spans() -> None:
    rows = [("\U0001f600", "O"), ("Ann", "B-person"), ("Lee", "I-person"), ("Bo", "B-person"), ("ran", "O")]
    item = sentence("x", rows, SERVED_ELSEWHERE)
    assert item.text == "\U0001f600 Ann Lee Bo ran"
    assert item.spans == (Span(2, 9, "Person"), Span(10, 12, "Person"))


def test_labels_of_no_served_kind_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "some.conll"
    write(path, [[("Nobel", "B-award"), ("Oslo", "B-LOC")]])
    assert read_file(path)[0].spans == (Span(6, 10, "Location"),)


def test_documents_keep_their_offsets(tmp_path: Path) -> None:
    path = tmp_path / "some.jsonl"
    entities = [
        {"start": 7, "end": 10, "label": "Organisation"},
        {"start": 0, "end": 3, "label": "Person"},
        {"start": 4, "end": 6, "label": "Money"},
    ]
    path.write_text(
        json.dumps({"id": "1", "text": "Ann\r\n  UNO", "entities": entities}) + "\n", encoding="utf-8"
    )
    assert read_file(path)[0].spans == (Span(0, 3, "Person"), Span(7, 10, "Organization"))


def test_every_fifth_block_of_the_share_alike_part_is_held_out(tmp_path: Path) -> None:
    split = read_corpora(corpora(tmp_path))
    held = [item.text for item in split.held["uner-ewt"]]
    assert held == [f"ewt{number} sleeps" for number in range(2 * BLOCK, 3 * BLOCK)]
    assert [item.text for item in split.held["wikigold"]] == ["held0 sleeps", "held1 sleeps"]


def test_a_held_out_sentence_is_never_trained_on_whatever_its_case(tmp_path: Path) -> None:
    root = corpora(tmp_path)
    copies = [[("Held0", "B-PER"), ("SLEEPS", "O")], *people("btc", 2)]
    write(root / "general" / "btc" / "train.conll", copies)
    others = [rows for name in GENERAL[1:] for rows in people(name, 3)]
    write(root / "general" / "merged" / "train.conll", [*copies, *others])
    split = read_corpora(root)
    held = {item.key for items in split.held.values() for item in items}
    assert not held & {item.key for item in [*split.train, *split.tune]}
    assert {item.source for item in split.train} == {*GENERAL, "uner-ewt"}


def test_names_of_other_kinds_come_from_the_source_and_not_the_merged_file(tmp_path: Path) -> None:
    root = corpora(tmp_path)
    original = [("Oslo", "B-LOC"), ("hosts", "O"), ("Nobel", "B-MISC"), ("Week", "I-MISC")]
    merged = [(token, tag if tag == "B-LOC" else "O") for token, tag in original]
    for source in ("wikigold", "multiner-en"):
        write(root / "general" / source / "train.conll", [original])
        write(root / "general" / "merged" / "train.conll", [merged])
        spans = read_corpora(root).train[0].spans
        kind = OTHER if source == "wikigold" else UNKNOWN
        assert spans == (Span(0, 4, "Location"), Span(11, 21, kind))
        write(root / "general" / source / "train.conll", people(source, 3))
