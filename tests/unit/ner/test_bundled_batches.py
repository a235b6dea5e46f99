"""The shipped model itself: what shares a batch changes no bit of an answer."""

import numpy as np
import pytest

from appliance.ner.model_folder import MODEL, TOKENIZER, ModelFolder
from appliance.ner.session import Logits, OnnxSession
from appliance.ner.tokenizer import TextTokenizer, Window
from appliance.ner.worker import stack
from tests.support.paths import ENGLISH, ROOT

WORDS = (ROOT / "bench" / "sample.txt").read_text("utf-8").split()
LARGEST_BATCH = 24


def windows_of(folder: ModelFolder, texts: int, random: np.random.Generator) -> list[Window]:
    """Cut stretches of real text, from one word to as many as fill a page."""
    tokenizer = TextTokenizer(
        folder.read(TOKENIZER),
        window_tokens=folder.window_tokens,
        overlap_tokens=folder.overlap_tokens,
        case_classes=folder.case_classes,
    )
    lengths = np.minimum(random.geometric(0.04, texts), 200)
    starts = random.integers(0, len(WORDS), texts)
    stretches = [
        " ".join((WORDS + WORDS)[start : start + length])
        for start, length in zip(starts, lengths, strict=True)
    ]
    return [document.windows[0] for document in tokenizer.cut(stretches)]


@pytest.mark.parametrize(
    ("texts", "batchings"),
    [(60, 3), pytest.param(1000, 20, marks=[pytest.mark.slow, pytest.mark.timeout(3000)])],
)
def test_no_bit_of_an_answer_depends_on_what_shares_its_batch(texts: int, batchings: int) -> None:
    folder = ModelFolder.open(ENGLISH)
    assert folder.batch_invariant
    session = OnnxSession(folder.read(MODEL), labels=len(folder.labels))
    random = np.random.default_rng(8)
    windows = windows_of(folder, texts, random)

    def rows(batch: list[int]) -> list[Logits]:
        chosen = [windows[index] for index in batch]
        logits = session.run(*stack(chosen, folder.pad_token))
        return [row[: len(window.ids)] for row, window in zip(logits, chosen, strict=True)]

    alone = [rows([index])[0] for index in range(texts)]
    assert len({row.tobytes() for row in alone}) > texts * 0.9
    for _ in range(batchings):
        order = random.permutation(texts).tolist()
        while order:
            size = int(random.integers(2, LARGEST_BATCH + 1))
            batch, order = order[:size], order[size:]
            for index, row in zip(batch, rows(batch), strict=True):
                assert (row == alone[index]).all(), f"text {index} in a batch of {len(batch)}"
