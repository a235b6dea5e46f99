"""The products that are sold, and the meters that each counts on; a misspelt one is refused.

A plan whose meter no appliance counts on limits nothing and bills nothing, however it is spelt.
"""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final

from license.errors import Malformed

METERS: Final = {
    "ner": ("CognitiveServices.Ner.Container.TextRecords",),
    "speech": ("CognitiveServices.SpeechToText.Container.AudioSeconds",),
}
"""Meters by product."""


def check_product(product: str) -> None:
    """Refuse a product that no appliance serves; raises `Malformed`."""
    if product not in METERS:
        raise Malformed(f"{product!r} is not a product", hint=_choose(product, METERS))


def check_meters(product: str, meters: Iterable[str]) -> None:
    """Refuse a meter that no appliance of a product counts on; raises `Malformed`."""
    known = METERS[product]
    for meter in meters:
        if meter not in known:
            raise Malformed(f"{meter!r} is not a meter of product {product}", hint=_choose(meter, known))


def _choose(typed: str, known: Iterable[str]) -> str:
    known = tuple(known)
    folded = {one.casefold(): one for one in known}
    close = get_close_matches(typed.casefold(), folded, n=1)
    return f"did you mean {folded[close[0]]}?" if close else f"choose from: {', '.join(known)}"
