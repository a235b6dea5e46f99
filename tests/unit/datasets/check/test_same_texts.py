"""Documents with the same text, and with nearly the same, are found; templates are not taken for copies."""

import random

from appliance.datasets.check.same_texts import groups, same_texts

WORDS = [f"word{number}" for number in range(2000)]


def text(seed: int, size: int = 120) -> str:
    return " ".join(random.Random(seed).choices(WORDS, k=size))  # noqa: S311 (texts of a test)


def test_the_same_text_is_found_whatever_its_case_and_spaces() -> None:
    same, near = same_texts([text(1), text(2), text(1).upper().replace(" ", "\r\n")])
    assert same == [(0, 2)]
    assert near == []


def test_each_copy_is_paired_with_the_first_alone() -> None:
    assert same_texts(["a b"] * 4)[0] == [(0, 1), (0, 2), (0, 3)]


def test_nearly_the_same_text_is_found_among_many() -> None:
    texts = [text(seed) for seed in range(300)]
    words = texts[7].split()
    words[50:52] = ["other", "words"]
    texts.append(" ".join(words))
    assert same_texts(texts)[1] == [(7, 300)]


def test_short_texts_of_one_template_are_not_nearly_the_same() -> None:
    texts = [f"book a table for two in {place} for tonight please" for place in ("Paris", "London", "Rome")]
    assert same_texts(texts) == ([], [])


def test_thousands_of_texts_with_common_boilerplate_are_compared_in_bounds() -> None:
    boilerplate = text(0, 30)
    same, near = same_texts([f"{boilerplate} {text(seed, 60)}" for seed in range(1, 1500)])
    assert (same, near) == ([], [])


def test_text_without_a_word_and_halves_of_pairs_are_no_fault() -> None:
    assert same_texts(["", "🙂🙂", "\ud83d " * 20, text(3) + " \ud83d"]) == ([], [])


def test_pairs_that_share_a_document_are_one_group() -> None:
    assert groups([(5, 6), (1, 2), (2, 3)]) == [[1, 2, 3], [5, 6]]
