"""Trees from the texts of entries and from stored hashes are the same while nobody changed a log."""

import sqlite3
from collections.abc import Iterator

import pytest

from appliance.ledger.read.text_tree import last_tile_fits, text_subtree
from license.evidence.log.merkle import TILE_WIDTH, fold, leaf_hash
from license.evidence.log.tiles import stored_subtree

TEXTS = [f"entry {n}" for n in range(TILE_WIDTH)]
HASHES = [leaf_hash(text.encode()) for text in TEXTS]


@pytest.fixture
def log() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE entry (n INTEGER PRIMARY KEY, text, leaf)")
    connection.execute("CREATE TABLE tile (level INTEGER, idx INTEGER, root, PRIMARY KEY (level, idx))")
    rows = [(n, text, leaf) for n, (text, leaf) in enumerate(zip(TEXTS, HASHES, strict=True))]
    connection.executemany("INSERT INTO entry VALUES (?, ?, ?)", rows)
    connection.execute("INSERT INTO tile VALUES (1, 0, ?)", (fold(HASHES),))
    yield connection
    connection.close()


def test_both_trees_are_the_same_also_where_entries_were_pruned(log: sqlite3.Connection) -> None:
    log.execute("INSERT INTO tile SELECT 0, n, leaf FROM entry WHERE n < 4")
    log.execute("DELETE FROM entry WHERE n < 4")
    for height, index in ((0, 3), (2, 0), (2, 1), (7, 1), (8, 0)):
        assert text_subtree(log)(height, index) == stored_subtree(log)(height, index)
    assert last_tile_fits(TILE_WIDTH, text_subtree(log))


def test_a_text_that_was_changed_is_seen_where_the_stored_hash_is_the_old_one(
    log: sqlite3.Connection,
) -> None:
    log.execute("UPDATE entry SET text = 'another' WHERE n = 200")
    assert text_subtree(log)(0, 200) != stored_subtree(log)(0, 200) == HASHES[200]
    assert not last_tile_fits(TILE_WIDTH, text_subtree(log))


@pytest.mark.parametrize("stored", [None, 5, HASHES[3]], ids=["nothing", "a number", "a hash"])
def test_a_text_that_is_none_is_missing_and_never_taken_for_a_hash(
    log: sqlite3.Connection, stored: object
) -> None:
    log.execute("UPDATE entry SET text = ? WHERE n = 3", (stored,))
    with pytest.raises(LookupError):
        text_subtree(log)(1, 1)


@pytest.mark.parametrize("stored", [None, 5, "x"], ids=["nothing", "a number", "a text"])
def test_a_stored_hash_that_is_none_is_missing(log: sqlite3.Connection, stored: object) -> None:
    log.execute("UPDATE entry SET leaf = ? WHERE n = 3", (stored,))
    with pytest.raises(LookupError):
        stored_subtree(log)(1, 1)


def test_an_entry_or_a_tile_that_is_gone_is_missing(log: sqlite3.Connection) -> None:
    log.execute("DELETE FROM entry WHERE n = 3")
    log.execute("DELETE FROM tile")
    for subtree in (text_subtree(log), stored_subtree(log)):
        assert subtree(1, 0) == fold(HASHES[:2])
        for height, index in ((1, 1), (8, 0)):
            with pytest.raises(LookupError, match="missing"):
                subtree(height, index)
