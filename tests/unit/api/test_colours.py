"""The colours of categories: twenty that can be told apart and read, in light and dark."""

import itertools
import math
import re
from pathlib import Path

import pytest

import appliance.api

STYLE = (Path(appliance.api.__file__).parent / "static" / "style.css").read_text()
LIGHT, DARK = STYLE.split("@media (prefers-color-scheme: dark)")[:2]
THEMES = {"light": LIGHT, "dark": DARK.split("*, *::before")[0]}
CATEGORIES = 20
LEAST_DISTANCE = 0.03  # in Oklab, where 0.02 is about what an eye just notices
LEAST_CONTRAST = 4.5  # WCAG 2.2, level AA


def linear(colour: str) -> list[float]:
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    return [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]


def oklab(colour: str) -> tuple[float, float, float]:
    r, g, b = linear(colour)
    long = (0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b) ** (1 / 3)
    medium = (0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b) ** (1 / 3)
    short = (0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b) ** (1 / 3)
    return (
        0.2104542553 * long + 0.7936177850 * medium - 0.0040720468 * short,
        1.9779984951 * long - 2.4285922050 * medium + 0.4505937099 * short,
        0.0259040371 * long + 0.7827717662 * medium - 0.8086757660 * short,
    )


def light(colour: str) -> float:
    r, g, b = linear(colour)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(one: str, other: str) -> float:
    dim, bright = sorted((light(one), light(other)))
    return (bright + 0.05) / (dim + 0.05)


@pytest.fixture(params=THEMES)
def colours(request: pytest.FixtureRequest) -> dict[str, str]:
    return dict(re.findall(r"--(\w+): (#[0-9a-f]{6});", THEMES[request.param]))


def test_no_two_of_twenty_look_alike(colours: dict[str, str]) -> None:
    fills = [colours[f"c{n}"] for n in range(CATEGORIES)]
    near = {
        (a, b): math.dist(oklab(fills[a]), oklab(fills[b]))
        for a, b in itertools.combinations(range(CATEGORIES), 2)
    }
    assert {pair: d for pair, d in near.items() if d < LEAST_DISTANCE} == {}


def test_names_of_categories_and_marked_text_can_be_read(colours: dict[str, str]) -> None:
    for n in range(CATEGORIES):
        for on in (colours[f"c{n}"], colours["card"]):
            assert contrast(colours[f"i{n}"], on) >= LEAST_CONTRAST, n
        assert contrast(colours["ink"], colours[f"c{n}"]) >= LEAST_CONTRAST, n


def test_each_colour_has_its_class() -> None:
    for n in range(CATEGORIES):
        assert f".c{n} {{ background: var(--c{n}); --cat: var(--i{n}); }}" in STYLE
