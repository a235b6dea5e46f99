"""spaCy 3's `.spacy` files (DocBin) without spaCy: compressed MessagePack, in which words are numbers.

A text is kept to its last space, since white space is a word there.
"""

import zlib
from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgpack
import numpy as np
from numpy.typing import NDArray

from appliance.datasets.document import LabelledDocument
from appliance.datasets.formats.format import Contents, Format, RawDocument, ReadOptions, SourceFile
from appliance.datasets.formats.tokens.spacy_hashes import ENT_IOB, ENT_TYPE, ORTH, number_of
from appliance.datasets.formats.tokens.token_rows import MAX_WORDS, Sentence, assemble, sentences_of
from appliance.datasets.label_errors import RELATIONS, DatasetError, Mistake
from appliance.datasets.tag_schemes import Run

_ZLIB: Final = b"\x78"
_MAX_BYTES: Final = 512 * 2**20
"""Of a file unpacked: a word takes about 110 bytes."""
_MAX_RATIO: Final = 200
_FREE_BYTES: Final = 2**20
_INSIDE, _OUTSIDE, _BEGIN = 1, 2, 3
"""What ENT_IOB says; 0 is unknown, which is read as outside."""
_EMPTY_GROUPS: Final = (b"", b"\x90")
_WRONG: Final = (ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError, RecursionError)


def sniff(file: SourceFile) -> bool:
    """Whether the file is compressed and begins as a map of MessagePack."""
    if not file.data.startswith(_ZLIB):
        return False
    try:
        head = zlib.decompressobj().decompress(file.data[:4096], 64)
    except zlib.error:
        return False
    return b"attrs" in head or b"version" in head


def _unpacked(file: SourceFile) -> bytes:
    limit = min(_MAX_BYTES, _FREE_BYTES + _MAX_RATIO * len(file.data))
    try:
        unpacker = zlib.decompressobj()
        data = unpacker.decompress(file.data, limit)
        if unpacker.unconsumed_tail:
            raise DatasetError(f"{file.name} unpacks to more than {limit} bytes", hint="cut it into several")
    except zlib.error as error:
        raise _damaged(file.name, str(error)) from None
    return data


def _damaged(name: str, reason: str) -> DatasetError:
    return DatasetError(f"{name} is no DocBin of spaCy 3, or damaged: {reason[:100]}", hint="write it again")


def read(file: SourceFile, _options: ReadOptions) -> Contents:
    """Read all documents of a file.

    Raises:
        DatasetError: It is none, damaged, or without entities.
    """
    data = _unpacked(file)
    try:
        found = msgpack.unpackb(data, raw=False, strict_map_key=False)
        return _contents(found, file.name)
    except msgpack.exceptions.UnpackException as error:
        raise _damaged(file.name, str(error) or type(error).__name__) from None
    except _WRONG as error:
        raise _damaged(file.name, f"{type(error).__name__}: {error}") from None


def _contents(found: dict[str, Any], name: str) -> Contents:
    attributes = list(found["attrs"])
    if not {ORTH, ENT_IOB, ENT_TYPE} <= set(attributes):
        raise DatasetError(
            f"{name} was written without entities",
            hint='write DocBin(attrs=["ENT_IOB", "ENT_TYPE"]) with spaCy',
        )
    table = np.frombuffer(found["tokens"], dtype="<u8").reshape(-1, len(attributes))
    spaces = np.frombuffer(found["spaces"], dtype=np.uint8)
    lengths = np.frombuffer(found["lengths"], dtype="<i4")
    if len(table) > MAX_WORDS:
        raise DatasetError(f"{name} holds more than {MAX_WORDS} words", hint="cut it into several files")
    if (lengths < 0).any() or int(lengths.sum(dtype=np.int64)) != len(table) or len(spaces) != len(table):
        raise ValueError("its lengths do not fit its words")
    strings = {number_of(text): text for text in found["strings"]}
    flags = found.get("flags") or [{}] * len(lengths)
    groups = found.get("span_groups") or [b""] * len(lengths)
    columns = [attributes.index(one) for one in (ORTH, ENT_IOB, ENT_TYPE)]
    documents: list[RawDocument] = []
    untold: list[Mistake] = []
    at = 0
    for number, length in enumerate(lengths.tolist(), 1):
        rows = table[at : at + length, columns]
        spaced = spaces[at : at + length].tolist()
        if flags[number - 1].get("has_unknown_spaces"):
            spaced = [1] * length
        at += length
        called = f"{name}#{number}"
        documents.append(assemble(called, [_sentence(rows, spaced, strings)]))
        if groups[number - 1] not in _EMPTY_GROUPS:
            reason = "its groups of spans (spancat) may overlap and are not read"
            untold.append(
                Mistake(document=called, line=0, reason=reason, remedy="take them out", kind=RELATIONS)
            )
    return Contents(documents=documents, mistakes=untold, unit_sure=True)


def _sentence(rows: NDArray[np.uint64], spaced: Sequence[int], strings: dict[int, str]) -> Sentence:
    words: list[str] = []
    found: list[Run] = []
    category = 0
    for place, (orth, state, kind) in enumerate(rows.tolist()):
        words.append(strings[orth])
        if state == _BEGIN or (state == _INSIDE and kind != category):
            found.append(Run(place, place + 1, strings[kind]))
        elif state == _INSIDE:
            found[-1] = found[-1]._replace(end=place + 1)
        category = kind if state in (_BEGIN, _INSIDE) else 0
    return Sentence(words, found, [" " if one else "" for one in spaced])


def _words(document: LabelledDocument) -> Iterator[tuple[str, bool, int, str]]:
    """Yield each word with whether a space follows, its state and category; white space is a word too."""
    text = document.text
    at = 0
    for words, found in sentences_of(document):
        states = [(_OUTSIDE, "")] * len(words)
        for start, end, category in found:
            states[start:end] = [(_BEGIN, category), *[(_INSIDE, category)] * (end - start - 1)]
        for (start, end), (state, category) in zip(words, states, strict=True):
            if at < start:
                # White space between two words of a label belongs to it, or the label would be cut in two.
                yield text[at:start], False, *((_INSIDE, category) if state == _INSIDE else (_OUTSIDE, ""))
            spaced = text[end : end + 1] == " "
            yield text[start:end], spaced, state, category
            at = end + spaced
    if at < len(text):
        yield text[at:], False, _OUTSIDE, ""


def write(documents: Sequence[LabelledDocument], stem: str) -> dict[str, bytes]:
    """Write a DocBin with words, spaces and entities."""
    rows: list[tuple[int, int, int]] = []
    spaces = bytearray()
    lengths: list[int] = []
    numbers: dict[str, int] = {"": 0}
    for document in documents:
        before = len(rows)
        for word, spaced, state, category in _words(document):
            for text in (word, category):
                if text not in numbers:
                    numbers[text] = number_of(text)
            rows.append((numbers[word], state, numbers[category]))
            spaces.append(spaced)
        lengths.append(len(rows) - before)
    found = {
        "version": "0.1",
        "attrs": [ORTH, ENT_IOB, ENT_TYPE],
        "tokens": np.array(rows, dtype="<u8").tobytes(),
        "spaces": bytes(spaces),
        "lengths": np.array(lengths, dtype="<i4").tobytes(),
        "strings": sorted(numbers),
        "cats": [{} for _ in lengths],
        "flags": [{"has_unknown_spaces": False} for _ in lengths],
        "span_groups": [b"" for _ in lengths],
    }
    return {f"{stem}.spacy": zlib.compress(msgpack.packb(found, use_bin_type=True))}


SPACY_DOCBIN: Final = Format(
    name="spacy",
    title="spaCy 3",
    sniff=sniff,
    read=read,
    write=write,
    exact=False,
    note="`.spacy` (DocBin), without spaCy",
)
