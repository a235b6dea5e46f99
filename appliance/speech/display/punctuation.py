"""`Punct`: punctuation by a token classifier in the layout of Hugging Face, as exported by Optimum.

Its labels are marks or their names (`.`, `PERIOD`, `COMMA`, …); `O` and `0` stand for none. The label of the
token at which a word's last part begins is put behind the word. Sentences get a capital.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from appliance.errors import ModelError
from appliance.ner.session import OnnxSession
from appliance.ner.tokenizer import TextTokenizer
from appliance.speech.display.text import FIRST_PERSON

WINDOW_TOKENS: Final = 256
_OVERLAP_TOKENS: Final = 32
_NAMES: Final = {
    "": "", "O": "", "0": "", "NONE": "", "BLANK": "",
    "PERIOD": ".", "COMMA": ",", "QUESTION": "?", "QUESTIONMARK": "?", "EXCLAMATION": "!",
    "EXCLAMATIONMARK": "!", "COLON": ":", "SEMICOLON": ";", "DASH": " -",
}  # fmt: skip
_MARKS: Final = frozenset(".,?!:;")
_ENDS: Final = frozenset(".?!")


def mark(label: str) -> str:
    """Return what a label puts behind a word.

    Raises:
        ModelError: It is neither a mark nor the name of one.
    """
    if label in _MARKS:
        return label
    named = _NAMES.get(label.upper().removeprefix("B-").replace("_", ""))
    if named is None:
        raise ModelError(
            f"the punctuation model has a label {label[:40]!r}",
            hint=f"labels are {' '.join(sorted(_MARKS))} or {', '.join(filter(None, _NAMES))}",
        )
    return named


class Punctuator:
    """A loaded punctuation model; several threads may use it at once.

    Args:
        model: The bytes of `model.onnx`, already checked.
        tokenizer: The bytes of `tokenizer.json`.
        labels: Its labels, in the order of their columns.

    Raises:
        ModelError: One of them cannot be used.
    """

    def __init__(self, *, model: bytes, tokenizer: bytes, labels: Sequence[str]) -> None:
        self._marks = [mark(label) for label in labels]
        self._session = OnnxSession(model, labels=len(labels))
        self._tokenizer = TextTokenizer(
            tokenizer, window_tokens=WINDOW_TOKENS, overlap_tokens=_OVERLAP_TOKENS, case_classes=False
        )
        self.punctuate(["one", "two"])

    def punctuate(self, words: Sequence[str]) -> list[str]:
        """Return the words with marks behind them and capitals; the last one always ends a sentence.

        Raises:
            ModelError: The model does not answer as a token classifier does.
        """
        if not words:
            return []
        behind = self._behind(words)
        behind[-1] = behind[-1] if behind[-1] in _ENDS else "."
        shown, begins = [], True
        for word, after in zip(words, behind, strict=True):
            text = FIRST_PERSON.get(word, word)
            shown.append((text[:1].upper() + text[1:] if begins else text) + after)
            begins = after in _ENDS
        return shown

    def _behind(self, words: Sequence[str]) -> list[str]:
        text = " ".join(words)
        (document,) = self._tokenizer.cut([text])
        labels: list[int] = []
        for window in document.windows:
            ids = window.ids[None]
            logits = self._session.run(ids, np.ones_like(ids), None)
            if logits.ndim != 3 or logits.shape[:2] != ids.shape or logits.shape[2] != len(self._marks):
                raise ModelError("the punctuation model does not answer one row of labels for each token")
            labels += [int(label) for label in logits[0, window.positions].argmax(axis=-1)]
        ends = np.cumsum([len(word) + 1 for word in words])  # of each word and the space behind it
        behind = [""] * len(words)
        for end, label in zip(document.ends, labels, strict=True):
            behind[int(np.searchsorted(ends, end - 1, side="right"))] = self._marks[label]
        return behind
