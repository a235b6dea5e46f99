"""The case class of a word: the upper and lower case that the vocabulary drops, as one small number."""

LOWER = 0
TITLE = 1
UPPER = 2
MIXED = 3
DIGITS = 4
ALPHANUMERIC = 5

CASE_CLASSES = 6


def case_class(word: str) -> int:
    """Return the class of one surface word.

    0: lower case, caseless script, or no word at all (punctuation, the empty string); 1: Title, the first
    letter upper and the rest lower; 2: UPPER, every cased letter upper (so a single capital is UPPER, not
    Title); 3: mIxed; 4: digits and no letter; 5: letters and digits.

    A model trained with these classes reads them in its `token_type_ids` input, zeros for special tokens and
    padding.
    """
    if not word.isalpha() and any(map(str.isdigit, word)):
        return ALPHANUMERIC if any(map(str.isalpha, word)) else DIGITS
    if word.isupper():
        return UPPER
    if word.istitle():
        return TITLE
    if word == word.lower():
        return LOWER
    return MIXED
