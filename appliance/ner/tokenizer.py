"""Text to windows of token numbers, with the way back to code points. The one place that loads a tokenizer.

How words are cut is `words.py`'s business and how long texts are cut is `windows.py`'s; here both meet the
Rust library and become arrays.
"""

import hashlib
import os
import re
import threading
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer
from tokenizers.models import Unigram

from appliance.errors import ModelError
from appliance.ner.casing import case_class
from appliance.ner.model_folder import AT_PUNCTUATION, TOKENIZER, ModelFolder
from appliance.ner.windows import spans
from appliance.ner.words import Word, cut_words, without_endless_elements, words

_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_SEPARATORS: Final = str.maketrans("\0\u200b\x1c\x1d\x1e\x1f\x85", "  " + "\n" * 5)
"""What stands between words and is dropped by tokenizers, which would read two words as one."""
_SEPARATOR: Final = re.compile(f"[{''.join(map(chr, _SEPARATORS))}]")

_SENTENCE_ENDS: Final = frozenset(".!?…。\uff01\uff1f؟।")

_UNIGRAM_UNKNOWN: Final = re.compile(rb'"unk_id"\s*:\s*(\d+)')
_NO_TOKEN: Final = -1

TokenNumbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What the model sees at once.

    `ids` and `types` include the special tokens. `positions` are the tokens at which the owned words begin,
    and `first_word` is the index of the first owned word in its document.
    """

    ids: TokenNumbers
    types: TokenNumbers | None
    positions: TokenNumbers
    first_word: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One text, its words as code-point spans, and its windows (none if it holds no word).

    `unknown_share` is the share of its tokens, 0…1, that stand for letters the vocabulary lacks. Emoji and
    other symbols do not count: texts in every language have some that no vocabulary holds.
    """

    text: str
    starts: Sequence[int]
    ends: Sequence[int]
    windows: Sequence[Window]
    unknown_share: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How well a vocabulary fits texts: their tokens, those it lacks, and their words."""

    tokens: int
    unknown: int
    words: int

    @property
    def unknown_share(self) -> float:
        """Share of the tokens that the vocabulary lacks, 0…1."""
        return self.unknown / self.tokens if self.tokens else 0.0

    @property
    def pieces(self) -> float:
        """Tokens a word; many where the vocabulary was made for another language."""
        return self.tokens / self.words if self.words else 0.0


class OpenedTokenizer:
    """A tokenizer that cuts off and pads nothing, and reads special tokens in a text as text.

    Args:
        data: The bytes of `tokenizer.json`.

    Attributes:
        library: What does the work; nobody may change it.
        special: 1 for each special token that it puts around a text, and 0 for the text, here of one letter.
        unknown: The number of its token for what the vocabulary lacks, or one that no token has.

    Raises:
        ModelError: The bytes are not a tokenizer.
    """

    def __init__(self, data: bytes) -> None:
        # The session threads are the parallelism; a second pool inside the library would fight them for
        # cores.
        os.environ["TOKENIZERS_PARALLELISM"] = "false"
        try:
            self.library = Tokenizer.from_buffer(data)
            self.library.no_truncation()
            self.library.no_padding()
            # "[SEP]" typed by a customer is five characters of text, not the end of it.
            self.library.encode_special_tokens = True
            self.special: list[int] = self.library.encode("a").special_tokens_mask
        except Exception as error:  # the library raises bare Exception for whatever it cannot read
            raise ModelError(f"tokenizer.json cannot be read: {error}") from error
        self.unknown = _unknown_token(self.library, data)


_opened: Final[weakref.WeakValueDictionary[bytes, OpenedTokenizer]] = weakref.WeakValueDictionary()
_lock: Final = threading.Lock()


def open_tokenizer(data: bytes) -> OpenedTokenizer:
    """Open a tokenizer, or return the one of the same bytes that another model holds.

    One of many languages takes 200 MB and most of a second of a processor, and every custom model that was
    trained from the same encoder has it.

    Raises:
        ModelError: The bytes are not a tokenizer.
    """
    key = hashlib.sha256(data).digest()
    with _lock:
        found = _opened.get(key)
        if found is None:
            found = _opened[key] = OpenedTokenizer(data)
    return found


class TextTokenizer:
    """A tokenizer bound to a model's window; safe to share between threads.

    Args:
        data: The bytes of `tokenizer.json`.
        window_tokens: Tokens the model sees at once, special tokens included.
        overlap_tokens: Tokens shared by neighbouring windows of a long text.
        case_classes: Whether the model reads case classes in its `token_type_ids` input; zeros otherwise.
        at_punctuation: Whether each token of punctuation or symbols is a word of its own, whatever the
            tokenizer has for a word.

    Raises:
        ModelError: The bytes are not a tokenizer, or the window leaves no room beside the special tokens.
    """

    def __init__(
        self,
        data: bytes,
        *,
        window_tokens: int,
        overlap_tokens: int,
        case_classes: bool,
        at_punctuation: bool = False,
    ) -> None:
        self._opened = open_tokenizer(data)
        self._tokenizer, mask = self._opened.library, self._opened.special
        # Whether "a." is one word to it, as for the tokenizers of XLM-R, CamemBERT and their kin.
        self._cuts_at_spaces_only = len(words(self._tokenizer.encode("a."))) == 1
        self._before = mask.index(0) if 0 in mask else 0
        self._after = mask[::-1].index(0) if 0 in mask else 0
        self._window_tokens = window_tokens
        self._capacity = window_tokens - self._before - self._after
        self._overlap = min(overlap_tokens, self._capacity // 2)
        self._case_classes = case_classes
        self._at_punctuation = at_punctuation
        if self._capacity < 8:
            raise ModelError(f"a window of {window_tokens} tokens leaves no room for text")

    @property
    def vocabulary(self) -> int:
        """How many token numbers there are: one more than the highest."""
        return max(self._tokenizer.get_vocab(with_added_tokens=True).values(), default=-1) + 1

    def reading(self, texts: Sequence[str]) -> Reading:
        """Say how well the vocabulary fits texts."""
        whole = [_SURROGATE.sub("\ufffd", text) for text in texts]
        encodings = self._tokenizer.encode_batch(whole, add_special_tokens=False)
        return Reading(
            tokens=sum(len(encoding.ids) for encoding in encodings),
            unknown=sum(encoding.ids.count(self._opened.unknown) for encoding in encodings),
            words=sum(map(len, map(self._words, whole, encodings))),
        )

    def cut(self, texts: Sequence[str]) -> list[Document]:
        """Tokenise texts together and cut them into windows; the GIL is released while the library works.

        Half a surrogate pair, which JSON can smuggle in, is read as U+FFFD so that offsets stay those of the
        text.
        """
        read = [without_endless_elements(_separated(text)) for text in texts]
        try:
            encodings = self._tokenizer.encode_batch(read)
        except TypeError:
            encodings = self._tokenizer.encode_batch([_SURROGATE.sub("\ufffd", text) for text in read])
        return [self._document(text, encoding) for text, encoding in zip(texts, encodings, strict=True)]

    def _words(self, text: str, encoding: Encoding) -> list[Word]:
        return cut_words(
            text, encoding, at_spaces=self._cuts_at_spaces_only, at_punctuation=self._at_punctuation
        )

    def _document(self, text: str, encoding: Encoding) -> Document:
        found = self._words(text, encoding)
        if not found:
            return Document(text=text, starts=(), ends=(), windows=())
        ids = np.array(encoding.ids, dtype=np.int64)
        types = self._types(text, found, len(ids)) if self._case_classes else None
        if len(ids) <= self._window_tokens:
            positions = np.array([word.first for word in found], dtype=np.int64)
            windows = [Window(ids=ids, types=types, positions=positions, first_word=0)]
        else:
            windows = self._windows(text, found, ids, types)
        return Document(
            text=text,
            starts=[word.start for word in found],
            ends=[word.end for word in found],
            windows=windows,
            unknown_share=self._unknown_share(text, encoding, ids),
        )

    def _unknown_share(self, text: str, encoding: Encoding, ids: TokenNumbers) -> float:
        lacking = np.flatnonzero(ids == self._opened.unknown)
        if not lacking.size:  # nearly every text that a model was made for
            return 0.0
        offsets = encoding.offsets
        pieces = [text[slice(*offsets[number])] for number in lacking.tolist()]
        letters = sum(piece.isalpha() or any(map(str.isalpha, piece)) for piece in pieces)
        return letters / (len(ids) - self._before - self._after)

    def _types(self, text: str, found: Sequence[Word], size: int) -> TokenNumbers:
        types = np.zeros(size, dtype=np.int64)
        for word in found:
            number = case_class(text[word.start : word.end])
            if number:
                types[word.first : word.last] = number
        return types

    def _windows(
        self, text: str, found: Sequence[Word], ids: TokenNumbers, types: TokenNumbers | None
    ) -> list[Window]:
        first = [word.first for word in found]
        # A "word" longer than the whole window (kilobytes without a space) is shown by its beginning only.
        last = [min(word.last, word.first + self._capacity) for word in found]

        def ends_sentence(index: int) -> bool:
            start, end = found[index].start, found[index].end
            following = found[index + 1].start if index + 1 < len(found) else len(text)
            # A line end stands between words, or is one where the tokenizer makes it one.
            return "\n" in text[start:following] or (text[end - 1] in _SENTENCE_ENDS and following > end)

        starts = np.array(first, dtype=np.int64)
        windows = []
        for span in spans(
            first, last, capacity=self._capacity, overlap=self._overlap, ends_sentence=ends_sentence
        ):
            begin, end = first[span.begin], last[span.end - 1]
            windows.append(
                Window(
                    ids=self._surround(ids, begin, end, outside=None),
                    types=None if types is None else self._surround(types, begin, end, outside=0),
                    positions=starts[span.own_begin : span.own_end] - (begin - self._before),
                    first_word=span.own_begin,
                )
            )
        return windows

    def _surround(self, tokens: TokenNumbers, begin: int, end: int, *, outside: int | None) -> TokenNumbers:
        """Return tokens `begin:end` between the special tokens of the whole text, or between `outside`."""
        before, after = tokens[: self._before], tokens[len(tokens) - self._after :]
        if outside is not None:
            before, after = np.full_like(before, outside), np.full_like(after, outside)
        return np.concatenate((before, tokens[begin:end], after))


def _separated(text: str) -> str:
    return text.translate(_SEPARATORS) if _SEPARATOR.search(text) else text


def _unknown_token(tokenizer: Tokenizer, data: bytes) -> int:
    """Return the number of the token for what the vocabulary lacks, or one that no token has."""
    model = tokenizer.model
    if isinstance(model, Unigram):
        # The library does not tell it, and reading all pieces again for it would delay each start.
        found = _UNIGRAM_UNKNOWN.search(data)
        return int(found[1]) if found else _NO_TOKEN
    number = tokenizer.token_to_id(model.unk_token) if model.unk_token else None
    return _NO_TOKEN if number is None else number


def tokenizer_of(folder: ModelFolder) -> TextTokenizer:
    """Return the tokenizer of a folder, cutting windows as serving does."""
    return TextTokenizer(
        folder.read(TOKENIZER),
        window_tokens=folder.window_tokens,
        overlap_tokens=folder.overlap_tokens,
        case_classes=folder.case_classes,
        at_punctuation=folder.words == AT_PUNCTUATION,
    )
