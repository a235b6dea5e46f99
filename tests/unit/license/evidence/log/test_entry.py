import json
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from license.errors import Malformed
from license.evidence.log.entry import KINDS, Entry, Tally, Value, parse, parse_use, render, render_use

TOKENS = st.text(string.ascii_letters + string.digits + "._:/+=@-", min_size=1, max_size=60)
NUMBERS = st.integers(0, 10**17)
SUMS = st.dictionaries(TOKENS, st.builds(Tally, NUMBERS, NUMBERS, NUMBERS), max_size=4)
TIMES = st.sampled_from(["1970-01-01T00:00:00Z", "2024-02-29T12:00:00Z", "9999-12-31T23:59:59Z"])
DAYS = st.sampled_from(["2024-02-29", "2026-11-21"])
ROOT = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="
HASHES = st.binary(min_size=32, max_size=32).map(bytes.hex)
VKEYS = st.sampled_from(["vendor.example/root+12345678+AQ==", "Müller & Söhne/root+12345678+AQ=="])
OPENING: dict[str, st.SearchStrategy[Value]] = {
    "o": TOKENS,
    "i": VKEYS,
    "d": DAYS,
    "vk": VKEYS,
    "r": VKEYS,
    "v": TOKENS,
    "s": TOKENS,
}
SHAPES: dict[str, dict[str, st.SearchStrategy[Value]]] = {
    "open": OPENING,
    "recover": {
        **OPENING,
        "w": TOKENS,
        "po": TOKENS,
        "pn": NUMBERS,
        "pr": st.just(ROOT),
    },
    "boot": {"x": TOKENS, "c": TIMES, "r": VKEYS, "v": TOKENS},
    "lic": {"l": TOKENS, "s": NUMBERS, "e": NUMBERS, "h": HASHES, "i": HASHES},
    "use": {"id": TOKENS, "m": TOKENS, "q": NUMBERS, "b": NUMBERS, "l": TOKENS},
    "key": {"of": DAYS, "d": DAYS, "vk": VKEYS, "s": SUMS},
    "sum": {"s": SUMS},
    "tick": {"w": TOKENS},
    "close": {"mo": st.just("2026-11"), "lo": NUMBERS, "hi": NUMBERS, "s": SUMS},
    "clock": {"w": TOKENS, "from": TIMES, "to": TIMES},
    "disk": {"w": TOKENS, "since": TIMES, "lost": NUMBERS},
    "ack": {"o": TOKENS, "x": NUMBERS},
    "carry": {"of": DAYS, "s": SUMS},
    "lease": {"i": VKEYS, "l": TOKENS, "x": TIMES, "v": TOKENS},
    "slice": {"of": TOKENS, "m": TOKENS, "d": DAYS, "a": NUMBERS},
    "left": {"of": TOKENS},
    "lost": {"of": TOKENS, "w": TOKENS, "d": DAYS, "s": SUMS},
    "found": {"of": TOKENS, "d": DAYS, "s": SUMS},
    "seen": {"of": TOKENS, "o": TOKENS, "x": NUMBERS, "r": st.just(ROOT), "c": TIMES, "d": DAYS, "s": SUMS},
    "fork": {"of": TOKENS, "o": TOKENS, "x": NUMBERS},
    "again": {"of": TOKENS, "x": NUMBERS, "till": TIMES},
}


@st.composite
def entries(draw: st.DrawFn) -> Entry:
    kind = draw(st.sampled_from(KINDS))
    values = draw(st.fixed_dictionaries(SHAPES[kind]))
    if kind == "use" and draw(st.booleans()):
        values["g"] = 1
    return Entry(kind=kind, n=draw(NUMBERS), at=draw(st.integers(0, 253_402_300_799)), values=values)


@given(entries())
def test_every_entry_reads_back_as_written_and_is_plain_json(entry: Entry) -> None:
    text = render(entry)
    again = parse(text)
    assert (again.kind, again.n, again.at, dict(again.values)) == (
        entry.kind,
        entry.n,
        entry.at,
        dict(entry.values),
    )
    assert render(again) == text
    loose = json.loads(text)
    assert (loose["k"], loose["n"]) == (entry.kind, entry.n)
    assert json.dumps(loose, separators=(",", ":"), ensure_ascii=False) == text


@given(entries(), st.data())
def test_one_changed_character_is_either_refused_or_another_entry(entry: Entry, data: st.DataObject) -> None:
    text = render(entry)
    at = data.draw(st.integers(0, len(text) - 1))
    changed = text[:at] + data.draw(st.characters(codec="utf-8")) + text[at + 1 :]
    try:
        again = parse(changed)
    except Malformed:
        return
    assert render(again) == changed


USE = '{"k":"use","n":7,"t":"2026-11-21T07:43:05Z","id":"0193","m":"A.B","q":3,"b":4,"l":"01J"}'


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        USE + "\n",
        " " + USE,
        USE.replace('"q":3', '"q":3,"q":3'),
        USE.replace('"q":3', '"q":3.0'),
        USE.replace('"q":3', '"q":03'),
        USE.replace('"q":3', '"q":-3'),
        USE.replace('"q":3', '"q":1000000000000000000'),
        USE.replace('"m":"A.B"', '"m":"A\\u002eB"'),
        USE.replace('"m":"A.B"', '"m":"A B"'),
        USE.replace('"id":"0193","m":"A.B"', '"m":"A.B","id":"0193"'),
        USE.replace('"k":"use"', '"k":"used"'),
        USE.replace("2026-11-21", "2026-02-30"),
        USE.replace("}", ',"g":0}'),
        USE.replace("}", ',"z":1}'),
    ],
)
def test_other_spellings_are_refused(text: str) -> None:
    with pytest.raises(Malformed):
        parse(text)


def test_meters_out_of_order_are_refused() -> None:
    key = Entry(kind="tick", n=1, at=0, values={"w": "idle"})
    close = render(
        Entry(kind="close", n=1, at=0, values={"mo": "2026-11", "lo": 0, "hi": 0, "s": {"a": Tally(1, 1, 1)}})
    )
    assert parse(render(key)).text("w") == "idle"
    with pytest.raises(Malformed, match="not in order"):
        parse(close.replace('"a":[1,1,1]', '"b":[1,1,1],"a":[1,1,1]'))
    with pytest.raises(Malformed, match="not in order"):
        parse(close.replace('"a":[1,1,1]', '"a":[1,1,1],"a":[1,1,1]'))


def test_the_quick_reader_and_writer_agree_with_the_full_ones() -> None:
    entry = parse(USE)
    quick = parse_use(USE)
    assert quick is not None
    assert (quick.n, quick.meter, quick.quantity, quick.billed) == (7, "A.B", 3, 4)
    assert (entry.number("q"), entry.number("g"), quick.grace) == (3, 0, False)
    values = (7, "2026-11-21T07:43:05Z", "0193", "A.B", 3, 4, "01J")
    assert render_use(values, grace=False) == USE
    marked = render_use(values, grace=True)
    assert parse(marked).number("g") == 1
    assert parse_use(USE + " ") is None


def test_values_that_cannot_be_said_are_refused_when_writing() -> None:
    with pytest.raises(Malformed, match="cannot be said"):
        render(Entry(kind="tick", n=0, at=0, values={"w": 'a"b'}))
    with pytest.raises(Malformed, match="cannot be said"):
        render(Entry(kind="tick", n=0, at=0, values={}))
    with pytest.raises(Malformed, match="cannot be said"):
        render(Entry(kind="tick", n=0, at=0, values={"w": "idle", "more": 1}))
    with pytest.raises(Malformed, match="no entry kind"):
        render(Entry(kind="other", n=0, at=0, values={}))
