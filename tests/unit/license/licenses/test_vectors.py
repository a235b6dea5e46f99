"""Every case in `tests/vectors/licences/`: the same bytes must be read, or refused, the same way for ever."""

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from license import errors
from license.encoding.strict import parse_time
from license.errors import LicenseError
from license.licenses.request import open_request
from license.licenses.validity import check_dates
from license.licenses.verify import AuthenticLicense, open_license
from license.trust.roots import load_roots
from tests.support.paths import VECTORS

CASES = sorted((VECTORS / "licences").glob("*.json"))


def run(case: dict[str, Any]) -> AuthenticLicense:
    opened = open_license(
        case["license"].encode(),
        case["issuer"].encode(),
        roots=load_roots(VECTORS / "roots"),
        product=case.get("product"),
        instance_vkey=case.get("instance"),
        min_serial=case.get("min_serial", 0),
        min_epoch=case.get("min_epoch", 0),
    )
    if "at" in case:
        check_dates(opened.license, parse_time(case["at"]))
    return opened


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_vector(path: Path) -> None:
    case = json.loads(path.read_bytes())
    if case["expect"] == "ok":
        assert run(case).license.serial == 7
        return
    with pytest.raises(LicenseError) as caught:
        run(case)
    assert caught.value.code == case["expect"]
    assert caught.value.hint


def test_each_refusal_has_its_own_sentence() -> None:
    sentences: dict[str, str] = {}
    for path in CASES:
        case = json.loads(path.read_bytes())
        try:
            run(case)
        except LicenseError as error:
            sentences.setdefault(error.message, error.code)
            assert sentences[error.message] == error.code
    assert len(sentences) >= len(set(sentences.values()))


def test_each_refusal_of_a_licence_has_a_vector() -> None:
    elsewhere = {  # no licence bytes can show these
        *("LicenseError", "LicenseNotFound", "Unreadable", "Unwritable", "NoRoom", "UntrustedRoots"),
        "Superseded",
        *("AuthorityError", "WrongPassphrase", "ExcessiveWork"),  # of locked keys: vectors/locked
        *("UnreadableArchive", "UnsignedReport"),  # zips: tests/attacks; reports: vectors/report.note
        "BeyondSite",  # a lease of a site's desk: tests/attacks/site/test_forged_leases.py
        "WrongMode",  # a lease is as authentic as a licence; where it lies is wrong: test_metering.py
    }
    codes = {
        error.code
        for error in vars(errors).values()
        if isinstance(error, type)
        and issubclass(error, LicenseError)
        and not issubclass(error, errors.DownloadError)
    }
    packages = (VECTORS / "packages").glob("*.json")
    shown = {json.loads(path.read_bytes())["expect"] for path in [*CASES, *packages]}
    assert codes - elsewhere - shown == set()


def test_the_recipe_makes_these_very_files() -> None:
    spec = importlib.util.spec_from_file_location("make_licences", VECTORS / "make_licences.py")
    assert spec is not None
    assert spec.loader is not None
    recipe = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(recipe)
    made = recipe.files()
    assert {name: (VECTORS / name).read_bytes() for name in made} == made
    assert {f"licences/{path.name}" for path in CASES} == {
        name for name in made if name.startswith("licences/")
    }


def test_the_request_vector_opens() -> None:
    assert open_request((VECTORS / "request.note").read_bytes()).product == "ner"
