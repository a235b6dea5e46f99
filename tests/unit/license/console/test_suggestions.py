"""What was probably meant."""

from license.console.suggestions import closest, did_you_mean


def test_a_word_that_is_spelt_alike_is_found_in_any_letter_case_and_another_is_not() -> None:
    assert closest("mounts:licence", ["Mounts:License", "Mounts:Output"]) == "Mounts:License"
    assert did_you_mean("licence", ["license"]) == "did you mean license?"
    assert did_you_mean("x", ["license"]) == ""
