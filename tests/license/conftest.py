"""Keys and files for the licence tests; nothing here patches the code under test."""

from __future__ import annotations

from pathlib import Path

import pytest

from license.keys import SigningKey


@pytest.fixture(scope="session")
def vectors() -> Path:
    return Path(__file__).parent.parent / "vectors"


@pytest.fixture(scope="session")
def alice() -> SigningKey:
    return SigningKey.generate("example.com/alice")


@pytest.fixture(scope="session")
def bob() -> SigningKey:
    return SigningKey.generate("example.com/bob")
