"""The numbers that spaCy stores for strings: MurmurHash64A of their UTF-8, seed 1, but for its symbols.

The symbols are an enumeration of spaCy (`spacy.symbols`, MIT licence) that versions 2 and 3 share; a category
such as PERSON or a word such as "mark" is among them. The tests compare both with spaCy itself.
"""

from functools import cache
from typing import Final

ORTH, ENT_IOB, ENT_TYPE = 65, 77, 78
"""Numbers of the attributes that are read and written."""

_BEFORE: Final = (
    " IS_ALPHA IS_ASCII IS_DIGIT IS_LOWER IS_PUNCT IS_SPACE IS_TITLE IS_UPPER LIKE_URL LIKE_NUM "
    "LIKE_EMAIL IS_STOP IS_OOV_DEPRECATED IS_BRACKET IS_QUOTE IS_LEFT_PUNCT IS_RIGHT_PUNCT "
    "IS_CURRENCY"
)
_BETWEEN: Final = (
    "ID ORTH LOWER NORM SHAPE PREFIX SUFFIX LENGTH CLUSTER LEMMA POS TAG DEP ENT_IOB ENT_TYPE HEAD "
    "SENT_START SPACY PROB LANG ADJ ADP ADV AUX CONJ CCONJ DET INTJ NOUN NUM PART PRON PROPN PUNCT "
    "SCONJ SYM VERB X EOL SPACE"
)
_AFTER: Final = (
    "PERSON NORP FACILITY ORG GPE LOC PRODUCT EVENT WORK_OF_ART LANGUAGE LAW DATE TIME PERCENT MONEY "
    "QUANTITY ORDINAL CARDINAL acomp advcl advmod agent amod appos attr aux auxpass cc ccomp complm "
    "conj cop csubj csubjpass dep det dobj expl hmod hyph infmod intj iobj mark meta neg nmod nn "
    "npadvmod nsubj nsubjpass num number oprd obj obl parataxis partmod pcomp pobj poss possessive "
    "preconj prep prt punct quantmod relcl rcmod root xcomp acl ENT_KB_ID MORPH ENT_ID IDX _"
)
_MASK: Final = 2**64 - 1
_MULTIPLIER: Final = 0xC6A4A7935BD1E995
_SEED: Final = 1


@cache
def symbols() -> dict[str, int]:
    """Return the numbers of spaCy's symbols."""
    names = [
        *_BEFORE.split(" "),
        *(f"FLAG{number}" for number in range(19, 64)),
        *_BETWEEN.split(" "),
        *(f"DEPRECATED{number:03}" for number in range(1, 277)),
        *_AFTER.split(" "),
    ]
    return {name: number for number, name in enumerate(names)}


def number_of(text: str) -> int:
    """Return the number that spaCy stores for a string."""
    known = symbols().get(text)
    return known if known is not None else _murmur(text.encode("utf-8"))


def _murmur(data: bytes) -> int:
    """Return MurmurHash64A (Austin Appleby, public domain) of some bytes."""
    value = _SEED ^ (len(data) * _MULTIPLIER & _MASK)
    whole = len(data) & ~7
    for at in range(0, whole, 8):
        block = int.from_bytes(data[at : at + 8], "little") * _MULTIPLIER & _MASK
        block = (block ^ block >> 47) * _MULTIPLIER & _MASK
        value = (value ^ block) * _MULTIPLIER & _MASK
    if whole < len(data):
        value = (value ^ int.from_bytes(data[whole:], "little")) * _MULTIPLIER & _MASK
    value = (value ^ value >> 47) * _MULTIPLIER & _MASK
    return value ^ value >> 47
