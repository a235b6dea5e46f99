"""Decoding: the beam finds what a full enumeration finds, prefers listed words, and times its words."""

import itertools
import math
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from appliance.errors import ModelError
from appliance.speech.adaptation.kneser_ney import estimate
from appliance.speech.decoding.alignment import align
from appliance.speech.decoding.ctc import CtcDecoder, greedy
from appliance.speech.model.lexicon import Domain, Lexicon
from appliance.speech.model.vocabulary import Vocabulary, from_json, from_tokens

SMALL = Vocabulary(tokens=("", "a", "b", " "), blank=0)
LETTERS = from_json('{"<pad>": 0, "<unk>": 1, "|": 2, "o": 3, "n": 4, "e": 5, "w": 6, "t": 7}')


def logs(probabilities: NDArray[np.float64]) -> NDArray[np.float32]:
    found: NDArray[np.float32] = np.log(probabilities / probabilities.sum(axis=1, keepdims=True)).astype(
        np.float32
    )
    return found


def random_rows(seed: int, frames: int, tokens: int) -> NDArray[np.float32]:
    return logs(np.random.default_rng(seed).random((frames, tokens)) ** 3 + 0.02)


def spelled(text: str, vocabulary: Vocabulary, sure: float = 0.9) -> NDArray[np.float32]:
    """Frames that say a text, a letter and a blank each."""
    rows = np.full((2 * len(text), len(vocabulary)), (1 - sure) / len(vocabulary))
    for number, letter in enumerate(text):
        rows[2 * number, vocabulary.tokens.index(letter)] += sure
        rows[2 * number + 1, vocabulary.blank] += sure
    return logs(rows)


def enumerated(rows: NDArray[np.float32]) -> dict[tuple[int, ...], float]:
    """Probability of every path, summed over all its alignments."""
    total: dict[tuple[int, ...], float] = defaultdict(float)
    for states in itertools.product(range(rows.shape[1]), repeat=len(rows)):
        merged = [state for state, _ in itertools.groupby(states)]
        path = tuple(state for state in merged if state != 0)
        total[path] += math.exp(sum(float(rows[frame, state]) for frame, state in enumerate(states)))
    return total


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.integers(1, 6))
def test_a_wide_beam_finds_the_most_probable_path(seed: int, frames: int) -> None:
    rows = random_rows(seed, frames, len(SMALL))
    beam = CtcDecoder(SMALL, beam=500).begin()
    beam.advance(rows)
    score, _, path = beam.paths()[0]
    sums = enumerated(rows)
    assert sums[tuple(path)] == pytest.approx(max(sums.values()), rel=1e-4)
    assert math.exp(score) == pytest.approx(sums[tuple(path)], rel=1e-4)


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.lists(st.integers(1, 30), min_size=1, max_size=6))
def test_frames_may_come_in_any_pieces(seed: int, sizes: list[int]) -> None:
    rows = random_rows(seed, sum(sizes), len(LETTERS))
    decoder = CtcDecoder(LETTERS, lexicon=Lexicon.of(["one", "two"]), beam=8)
    pieces, at = decoder.begin(), 0
    for size in sizes:
        pieces.advance(rows[at : at + size])
        at += size
    assert decoder.finish(pieces, rows) == decoder.decode(rows)


def test_greedy_drops_what_is_ignored_before_it_merges() -> None:
    order = [3, 3, 1, 3, 0, 3, 2, 4, 4]
    rows = np.full((len(order), len(LETTERS)), -9.0, np.float32)
    rows[range(len(order)), order] = 0.0
    assert greedy(rows, LETTERS) == "oo n"


def test_the_word_list_mends_a_letter() -> None:
    rows = spelled("one twe", LETTERS)
    assert CtcDecoder(LETTERS).decode(rows).text == "one twe"
    listed = CtcDecoder(LETTERS, lexicon=Lexicon.of(["one", "two"], unknown=-8.0))
    rows[12, LETTERS.tokens.index("o")] = math.log(0.3)
    assert listed.decode(rows).text == "one two"


def test_a_word_off_the_list_is_possible_or_forbidden() -> None:
    rows = spelled("one wet", LETTERS, sure=0.99)
    assert CtcDecoder(LETTERS, lexicon=Lexicon.of(["one", "two"])).decode(rows).text == "one wet"
    strict = CtcDecoder(LETTERS, lexicon=Lexicon.of(["one", "two"], unknown=None)).decode(rows)
    assert set(strict.text.split()) <= {"one", "two"}


def test_weights_of_pairs_decide_between_equals() -> None:
    rows = spelled("one two", LETTERS)
    for letter in ("t", "w", "n"):
        rows[8, LETTERS.tokens.index(letter)] = math.log(0.3)
    words = "one\ntwo\nwwo\nnwo\n"
    for wanted in ("two", "wwo", "nwo"):
        pairs = "".join(f"one {word}\t{0 if word == wanted else -3}\n" for word in ("two", "wwo", "nwo"))
        lexicon = Lexicon.read(words, pairs, weight=1.0)
        assert CtcDecoder(LETTERS, lexicon=lexicon).decode(rows).text == f"one {wanted}"


def test_a_phrase_of_the_caller_is_preferred() -> None:
    rows = spelled("wet", LETTERS)
    rows[2, LETTERS.tokens.index("o")] = rows[2, LETTERS.tokens.index("e")] - 0.8
    decoder = CtcDecoder(LETTERS, lexicon=Lexicon.of(["one", "two", "wet"]))
    assert decoder.decode(rows).text == "wet"
    assert decoder.decode(rows, phrases=["one wot"]).text == "wot"
    assert CtcDecoder(LETTERS).decode(rows, phrases=["wot"]).text == "wot"
    assert decoder.decode(rows, phrases=["(One) wot!"]).text == "wot"  # as people write phrases
    assert decoder.decode(rows).text == "wet"  # and forgotten afterwards
    light = decoder.begin(["wot"], 0.1)
    light.advance(rows)
    assert decoder.finish(light, rows).text == "wet"


@pytest.mark.parametrize("line", ["two words", "one\tmuch", "one\t1\t2"])
def test_a_word_list_with_something_else_in_it_is_refused(line: str) -> None:
    with pytest.raises(ModelError, match=r"words.txt line 2"):
        Lexicon.read(f"good\n{line}\n")


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.lists(st.integers(1, 3), min_size=1, max_size=12), st.integers(1, 40))
def test_pieces_are_found_in_order_and_inside_the_frames(seed: int, path: list[int], frames: int) -> None:
    rows = random_rows(seed, frames, len(SMALL))
    spans = align(rows, path, 0)
    assert len(spans) == len(path)
    assert all(start < end for start, end, _ in spans)
    starts = [start for start, _, _ in spans]
    assert starts == sorted(starts)
    repeats = sum(one == two for one, two in itertools.pairwise(path))
    if frames >= len(path) + repeats:
        assert all(end <= following for (_, end, _), (following, _, _) in itertools.pairwise(spans))
        assert spans[-1][1] <= frames


def test_words_have_the_frames_they_were_said_in() -> None:
    rows = spelled("one two", LETTERS)
    words = CtcDecoder(LETTERS).decode(rows).words
    assert [(word.text, word.start, word.end) for word in words] == [("one", 0, 5), ("two", 8, 13)]
    assert all(0.5 < word.confidence <= 1 for word in words)


def test_pieces_of_words_and_bytes_become_text() -> None:
    tokens = "<blk> 0\n<unk> 1\n\u2581ca 2\nf 3\n<0xC3> 4\n<0xA9> 5\n\u2581au 6\n"
    vocabulary = from_tokens(tokens)
    assert vocabulary.blank == 0
    path = [2, 3, 4, 5, 6]
    assert vocabulary.text(path) == "caf\u00e9 au"
    rows = np.full((10, 7), 1e-4)
    rows[range(0, 10, 2), path] = rows[range(1, 10, 2), 0] = 1
    words = CtcDecoder(vocabulary).decode(logs(rows)).words
    assert [(word.text, word.start, word.end) for word in words] == [("caf\u00e9", 0, 7), ("au", 8, 9)]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"a": "b"}', '{"a": 0, "b": 2}', '{"a": 0, "b": 0}', '{"a": 0}']
)
def test_a_vocabulary_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ModelError, match=r"vocab\.json"):
        from_json(text)


def test_tokens_without_a_blank_are_refused() -> None:
    with pytest.raises(ModelError, match="<blk>"):
        from_tokens("a 0\nb 1\n")


def test_a_domain_brings_its_words_and_their_order() -> None:
    vocabulary = Vocabulary(tokens=("", *" abcdefghijklmnopqrstuvwxyz"), blank=0)
    rows = spelled("dark moche", vocabulary, sure=0.6)
    plain = Lexicon.read("dark\t-1\nmilk\t-1\n", unknown=None)
    ngrams = estimate([["dark", "mocha"], ["light", "mocha"]])
    known = plain.with_domain(Domain(ngrams=ngrams, share=0.8))
    assert CtcDecoder(vocabulary, lexicon=known).decode(rows).text == "dark mocha"
    assert "mocha" not in CtcDecoder(vocabulary, lexicon=plain).decode(rows).text
    assert known.score(("dark",), "mocha", known=True) > known.score(("dark",), "milk", known=True)
