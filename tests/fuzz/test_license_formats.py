"""Files as damage and malice make them: none is accepted, and none gives anything but one of our refusals.

10,000 mutants each time, a million in `make nightly`, from fixed seeds: what is found can be found again.
A mutant may be accepted only if it says the same: carriage returns, a byte order mark, or signature lines by
strangers change a file and not its signed text.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import pytest

from license.crypto.hpke import HpkeKey
from license.errors import LicenseError
from license.licenses.request import open_request
from license.licenses.verify import open_license
from license.models.keys import identity_for
from license.models.manifest import Manifest, open_manifest
from license.models.package import open_package
from license.trust.delegation import Delegation, open_delegation
from license.trust.roots import load_roots
from tests.support.paths import VECTORS

CASE = json.loads((VECTORS / "packages/good.json").read_bytes())
ROOTS = load_roots(VECTORS / "roots")
LICENSE, ISSUER, MANIFEST = (CASE[name].encode() for name in ("license", "issuer", "manifest"))
REQUEST = (VECTORS / "request.note").read_bytes()
PACKAGE = base64.b64decode(CASE["package"])
CORPUS = (LICENSE, ISSUER, MANIFEST, REQUEST, PACKAGE)
TOKENS = (
    *(
        b"\r\n",
        b"\xef\xbb\xbf",
        b"\0",
        b"\n\n",
        b"\xe2\x80\x94 ",
        b"=",
        b"\xff",
        b'"',
        b"{",
        b"}",
        b"[",
        b",",
    ),
    *(
        b"1.0",
        b"1e9",
        b"NaN",
        b"-1",
        b"true",
        b"null",
        b"\\u0000",
        b"\\ud800",
        b'"crit": ["x"]',
        b"/v1",
        b"/v2",
    ),
    *(
        b'"serial": 9',
        b"9223372036854775808",
        b"9" * 5_000,
        b"[" * 100,
        b"../",
        b"age1",
        b"-> X25519 ",
        b"---",
    ),
)


def seeded(name: str) -> Random:
    return Random(f"offline-appliance {name}")  # noqa: S311 (it has to be the same every time)


def mutate(random: Random, data: bytes) -> bytes:
    """Return `data` after one to four accidents."""
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        place = random.randrange(len(data) + 1)
        span = random.choice((1, 1, 2, 8, 64, 500))
        match random.randrange(9):
            case 0 if data:
                place = min(place, len(data) - 1)
                data = data[:place] + bytes([data[place] ^ 1 << random.randrange(8)]) + data[place + 1 :]
            case 1:
                data = data[:place] + random.randbytes(span) + data[place + span :]
            case 2:
                data = data[:place] + data[place + span :]
            case 3:
                data = data[:place] + data[place : place + span] + data[place:]
            case 4:
                data = data[:place] + random.choice(TOKENS) + data[place:]
            case 5:
                data = data[:place] + random.choice(TOKENS) + data[place + span :]
            case 6:
                data = data[:place]
            case 7:
                other = random.choice(CORPUS)
                start = random.randrange(len(other))
                data = data[:place] + other[start : start + span] + data[place + span :]
            case _:
                lines = data.split(b"\n")
                first, second = random.randrange(len(lines)), random.randrange(len(lines))
                lines[first], lines[second] = lines[second], lines[first]
                data = b"\n".join(lines)
    return data


@dataclass(frozen=True)
class Target:
    original: bytes
    open: Callable[[bytes], object]


def package_opener(directory: Path) -> Callable[[bytes], object]:
    """Open a mutant behind a manifest that vouches for it: the sum alone would stop every one of them."""
    licence = open_license(LICENSE, ISSUER, roots=ROOTS).license
    manifest = open_manifest(MANIFEST, ISSUER, ROOTS)
    identity = identity_for(licence, manifest.line, HpkeKey.from_bytes(bytes.fromhex(CASE["machine"])))
    path = directory / "mutant.age"

    def open_(data: bytes) -> object:
        path.write_bytes(data)
        vouching = replace(manifest, sha256=hashlib.sha256(data).hexdigest(), bytes=max(1, len(data)))
        return dict(open_package(path, vouching, identity))

    return open_


def open_both(data: bytes) -> Delegation:
    """Open an issuer note alone, and then as the proof of a licence."""
    found = open_delegation(data, roots=ROOTS, role="issuer")[0]
    open_license(LICENSE, data, roots=ROOTS)
    return found


def open_model(data: bytes) -> Manifest:
    return open_manifest(data, ISSUER, ROOTS)


def targets(directory: Path) -> dict[str, Target]:
    return {
        "licence": Target(LICENSE, lambda data: open_license(data, ISSUER, roots=ROOTS).license),
        "delegation": Target(ISSUER, open_both),
        "request": Target(REQUEST, open_request),
        "manifest": Target(MANIFEST, open_model),
        "package": Target(PACKAGE, package_opener(directory)),
    }


def attack(target: Target, random: Random, mutants: int) -> Counter[str]:
    """Open so many mutants and count what became of them."""
    truth = target.open(target.original)
    outcomes: Counter[str] = Counter()
    for number in range(mutants):
        data = mutate(random, target.original)
        try:
            found = target.open(data)
        except LicenseError as error:
            outcomes[error.code] += 1
            assert error.message
            assert error.hint, error.code
        else:
            assert found == truth, f"mutant {number} was accepted and says something else: {data!r}"
            outcomes["same"] += 1
    return outcomes


@pytest.mark.parametrize("name", ["licence", "delegation", "request", "manifest", "package"])
def test_no_mutant_is_accepted(name: str, tmp_path: Path) -> None:
    outcomes = attack(targets(tmp_path)[name], seeded(name), 2_000)
    assert outcomes.total() == 2_000
    assert outcomes["same"] < 400
    assert len(outcomes) >= 3, outcomes


@pytest.mark.slow
@pytest.mark.timeout(7_200)
@pytest.mark.parametrize("name", ["licence", "delegation", "request", "manifest", "package"])
def test_no_mutant_of_a_million_is_accepted(name: str, tmp_path: Path) -> None:
    outcomes = attack(targets(tmp_path)[name], seeded(f"nightly {name}"), 200_000)
    assert outcomes.total() == 200_000
