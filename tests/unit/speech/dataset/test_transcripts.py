"""Lists of recordings are read in each form, and what is wrong is named by file and line."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.datasets.label_errors import DatasetError
from appliance.speech.dataset.transcripts import Recording, parse_transcripts

BOTH = [
    Recording(path="a.wav", text="hello, you", speaker="ann", line=1),
    Recording(path="b/c.wav", text="", line=2),
]


def read(text: str, name: str = "list") -> list[Recording]:
    return parse_transcripts(text.encode(), name)


def moved(by: int) -> list[Recording]:
    return [Recording(path=one.path, text=one.text, speaker=one.speaker, line=one.line + by) for one in BOTH]


def test_json_lines() -> None:
    first = {"path": "a.wav", "text": " hello, you ", "speaker": "ann", "seconds": 1.5}
    second = {"path": "./b\\c.wav", "text": "", "speaker": None}
    assert read(f"{json.dumps(first)}\n{json.dumps(second)}\n") == BOTH


@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
def test_a_table_with_a_header(delimiter: str) -> None:
    rows = [["Text", "PATH", "speaker"], ['"hello, you"', "a.wav", "ann"], ["", "b/c.wav", ""]]
    assert read("\r\n".join(delimiter.join(row) for row in rows)) == moved(1)


def test_a_cell_may_hold_a_line_break() -> None:
    found = read('path,text\na.wav,"hello\nyou"\nb.wav,x\n')
    assert [(one.text, one.line) for one in found] == [("hello\nyou", 2), ("x", 4)]


def test_names_and_texts_divided_by_tabs() -> None:
    assert read("\na.wav\thello, you\nb/c.wav\t\n") == [
        Recording(path="a.wav", text="hello, you", line=2),
        Recording(path="b/c.wav", text="", line=3),
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_byte_order_marks_say_the_encoding(encoding: str) -> None:
    (found,) = parse_transcripts("é.wav\tété\u2028là".encode(encoding), "list")
    assert (found.path, found.text) == ("é.wav", "été\u2028là")


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ('{"path": "a.wav", "text": "x"}\n{"path": "b.wav"}', 2, "text is missing"),
        ('{"path": "a.wav", "text": 5}', 1, "text is not a string"),
        ('{"path": "a.wav", "text": "x"', 1, "it is not JSON"),
        ('{"path": "a.wav", "text": "x"}\n[1]', 2, "it is not a JSON object"),
        ('{"path": "", "text": "x"}', 1, "path is empty"),
        ("a.wav\tx\nb.wav y", 2, "it has no tab"),
        ("a.wav\tx\n\na.wav\ty", 3, "a.wav is in line 1 already"),
        ("path,text\na.wav,x,y", 2, "it has 3 cells, and the header has 2"),
        ("path,text\na.wav", 2, "text is missing"),
        ('path,text\n"a.wav,x', 2, "unexpected end of data"),
        ("../a.wav\tx", 1, "leads out of the folder"),
        ("/etc/passwd\tx", 1, "leads out of the folder"),
        ("C:\\a.wav\tx", 1, "leads out of the folder"),
        ("a\0.wav\tx", 1, "leads out of the folder"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(text: str, line: int, reason: str) -> None:
    with pytest.raises(DatasetError) as refused:
        read(text, "my.list")
    assert refused.value.message.startswith(f"my.list, line {line}: ")
    assert reason in refused.value.message
    assert refused.value.hint


def test_many_wrong_lines_are_counted() -> None:
    with pytest.raises(DatasetError, match=r"line 5: .*; 3 more lines are wrong"):
        read("x\n" * 8)


def test_an_empty_list_and_one_that_is_no_text_are_refused() -> None:
    with pytest.raises(DatasetError, match="list names no recording"):
        read("\n \n")
    with pytest.raises(DatasetError, match="list, line 2: it is not UTF-8"):
        parse_transcripts(b"a.wav\tx\n\xff.wav\ty", "list")


@given(st.binary(max_size=80) | st.text(alphabet='{}":,\tapthex\n', max_size=60).map(str.encode))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        found = parse_transcripts(data, "list")
    except DatasetError:
        return
    assert found
