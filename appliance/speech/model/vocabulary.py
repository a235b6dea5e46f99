"""What the output columns of an acoustic model mean: pieces of text, and the blank of CTC.

Two kinds of files are read: `vocab.json` as transformers writes it, and `tokens.txt` as k2 and sherpa-onnx
do.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from appliance.errors import ModelError

MAX_TOKENS: Final = 100_000
_BLANKS: Final = ("<blk>", "<blank>", "<eps>", "<pad>")
_SPECIAL: Final = frozenset(
    {
        "<s>",
        "</s>",
        "<unk>",
        "<pad>",
        "<blk>",
        "<blank>",
        "<eps>",
        "<sos/eos>",
        "<sos>",
        "<eos>",
        "[PAD]",
        "[UNK]",
    }
)
_BYTE: Final = re.compile(r"<0x([0-9A-Fa-f]{2})>")
_BOUNDARY: Final = "▁"  # how sentencepiece marks the beginning of a word


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """Texts of the output columns.

    Attributes:
        tokens: What each column adds to the text, lower case; a space parts words, the empty string adds
            nothing.
        blank: Column that means "nothing new".
        ignored: Columns that are never part of a text, besides the blank.
        bytes_of: Columns that stand for one byte of UTF-8, such as `<0xE4>`.
    """

    tokens: tuple[str, ...]
    blank: int
    ignored: frozenset[int] = frozenset()
    bytes_of: Mapping[int, int] | None = None

    def __len__(self) -> int:
        return len(self.tokens)

    def text(self, path: "list[int] | tuple[int, ...]") -> str:
        """The text of a path without repeats and blanks: one space between words, none around."""
        if not self.bytes_of:
            return " ".join("".join(self.tokens[token] for token in path).split())
        raw = bytearray()
        for token in path:
            value = self.bytes_of.get(token)
            raw += self.tokens[token].encode() if value is None else bytes((value,))
        return " ".join(raw.decode("utf-8", "replace").split())


def from_json(text: str, *, pad: str | None = None, delimiter: str = "|") -> Vocabulary:
    """Read a `vocab.json`: one object of piece to number.

    Args:
        text: Content of the file.
        pad: The piece that is the blank; `<pad>` or `[PAD]` if not told.
        delimiter: The piece that parts words.

    Raises:
        ModelError: It is not such a file, or names no blank.
    """
    try:
        table: Any = json.loads(text)
    except ValueError as error:
        raise ModelError(f"vocab.json is not readable JSON: {error}") from error
    if isinstance(table, dict) and len(table) == 1 and isinstance(next(iter(table.values())), dict):
        table = next(iter(table.values()))  # MMS keeps one vocabulary per language
    if not isinstance(table, dict) or not all(type(number) is int for number in table.values()):
        raise ModelError("vocab.json must give each piece its number")
    pieces = _in_order({str(piece): int(number) for piece, number in table.items()}, "vocab.json")
    blank = pieces.index(pad) if pad in pieces else -1
    for name in ("<pad>", "[PAD]"):
        if blank < 0 and name in pieces:
            blank = pieces.index(name)
    if blank < 0:
        raise ModelError("vocab.json names no <pad>, which CTC models use as their blank")
    texts = [" " if piece == delimiter else piece.lower() for piece in pieces]
    return _vocabulary(pieces, texts, blank)


def from_tokens(text: str) -> Vocabulary:
    """Read a `tokens.txt`: a piece and its number a line.

    Raises:
        ModelError: It is not such a file, or names no blank.
    """
    table: dict[str, int] = {}
    for line in text.splitlines():
        piece, _, number = line.rstrip().rpartition(" ")
        if not number:
            continue
        if not number.isdecimal():
            raise ModelError("tokens.txt must hold a piece and its number on each line")
        table[piece if piece.strip() else " "] = int(number)
    pieces = _in_order(table, "tokens.txt")
    blank = next((pieces.index(name) for name in _BLANKS if name in pieces), -1)
    if blank < 0:
        raise ModelError(f"tokens.txt names no blank; looked for {', '.join(_BLANKS)}")
    return _vocabulary(pieces, [piece.replace(_BOUNDARY, " ").lower() for piece in pieces], blank)


def _in_order(table: Mapping[str, int], name: str) -> list[str]:
    if not table or len(table) > MAX_TOKENS:
        raise ModelError(f"{name} must name 1 to {MAX_TOKENS} pieces")
    pieces = {number: piece for piece, number in table.items()}
    if sorted(pieces) != list(range(len(table))):
        raise ModelError(f"{name} must number its pieces from 0, each once")
    return [pieces[number] for number in range(len(pieces))]


def _vocabulary(pieces: list[str], texts: list[str], blank: int) -> Vocabulary:
    ignored = {number for number, piece in enumerate(pieces) if piece in _SPECIAL or piece.startswith("#")}
    ignored.discard(blank)
    found = {number: _BYTE.fullmatch(piece) for number, piece in enumerate(pieces)}
    as_bytes = {number: int(match[1], 16) for number, match in found.items() if match is not None}
    silent = ignored | {blank}
    return Vocabulary(
        tokens=tuple(
            "" if number in silent or number in as_bytes else text for number, text in enumerate(texts)
        ),
        blank=blank,
        ignored=frozenset(ignored),
        bytes_of=as_bytes or None,
    )
