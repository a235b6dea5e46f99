import pytest
from hypothesis import given
from hypothesis import strategies as st

from license.evidence.log.merkle import (
    EMPTY_ROOT,
    Frontier,
    ProofError,
    check_consistency,
    check_inclusion,
    consistency_path,
    inclusion_path,
    leaf_hash,
    node_hash,
    root_at,
)
from tests.support.evidence import subtrees_of

# The eight leaves and the roots over the first n of them, as Certificate Transparency's own tests have them.
LEAVES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = (
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)


def naive_root(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962 §2.1, as the RFC writes it."""
    if not leaves:
        return EMPTY_ROOT
    if len(leaves) == 1:
        return leaves[0]
    k = 1 << ((len(leaves) - 1).bit_length() - 1)
    return node_hash(naive_root(leaves[:k]), naive_root(leaves[k:]))


def hashes_of(count: int) -> list[bytes]:
    return [leaf_hash(str(number).encode()) for number in range(count)]


@pytest.mark.parametrize("size", range(9))
def test_roots_match_the_published_vectors(size: int) -> None:
    frontier = Frontier()
    for leaf in LEAVES[:size]:
        frontier.append(leaf_hash(leaf))
    assert frontier.root().hex() == ROOTS[size]


def test_inclusion_proofs_match_the_published_vectors() -> None:
    subtree = subtrees_of([leaf_hash(leaf) for leaf in LEAVES])
    assert [h.hex()[:8] for h in inclusion_path(0, 8, subtree)] == ["96a296d2", "5f083f0a", "6b47aaf2"]
    assert [h.hex()[:8] for h in inclusion_path(5, 8, subtree)] == ["bc1a0643", "ca854ea1", "d37ee418"]
    assert [h.hex()[:8] for h in inclusion_path(2, 3, subtree)] == ["fac54203"]


def test_consistency_proofs_match_the_published_vectors() -> None:
    subtree = subtrees_of([leaf_hash(leaf) for leaf in LEAVES])
    assert consistency_path(1, 1, subtree) == []
    assert [h.hex()[:8] for h in consistency_path(6, 8, subtree)] == ["0ebc5d34", "ca854ea1", "d37ee418"]
    assert [h.hex()[:8] for h in consistency_path(2, 5, subtree)] == ["5f083f0a", "bc1a0643"]


@given(st.integers(0, 300))
def test_frontier_and_subtrees_agree_with_the_naive_root(size: int) -> None:
    leaves = hashes_of(size)
    frontier = Frontier()
    for leaf in leaves:
        frontier.append(leaf)
    subtree = subtrees_of(leaves)
    assert frontier.root() == naive_root(leaves) == root_at(size, subtree)
    assert Frontier.at(size, subtree).to_bytes() == frontier.to_bytes()
    assert Frontier.from_bytes(size, frontier.to_bytes()).root() == frontier.root()


@given(st.integers(1, 200), st.data())
def test_every_inclusion_proof_verifies_and_no_other_leaf_does(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    leaves = hashes_of(size)
    subtree = subtrees_of(leaves)
    path, root = inclusion_path(index, size, subtree), root_at(size, subtree)
    check_inclusion(leaves[index], index, size, path, root)
    with pytest.raises(ProofError):
        check_inclusion(leaf_hash(b"changed"), index, size, path, root)
    with pytest.raises(ProofError):
        check_inclusion(leaves[index], index, size, [*path, root], root)
    if path:
        with pytest.raises(ProofError):
            check_inclusion(leaves[index], index, size, path[:-1], root)


@given(st.integers(0, 200), st.data())
def test_every_consistency_proof_verifies_and_a_changed_leaf_breaks_it(new: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(0, new))
    leaves = hashes_of(new)
    subtree = subtrees_of(leaves)
    path = consistency_path(old, new, subtree)
    old_root, new_root = root_at(old, subtree), root_at(new, subtree)
    check_consistency(old, new, old_root, new_root, path)
    if not old:
        return
    changed = [*leaves]
    changed[data.draw(st.integers(0, old - 1))] = leaf_hash(b"changed")
    other = root_at(new, subtrees_of(changed))
    with pytest.raises(ProofError):
        check_consistency(old, new, old_root, other, consistency_path(old, new, subtrees_of(changed)))
    with pytest.raises(ProofError):
        check_consistency(old, new, leaf_hash(b"other"), new_root, path)


def test_tiles_are_reported_when_they_become_complete() -> None:
    leaves = hashes_of(65_536 + 300)
    frontier, completed = Frontier(), list[tuple[int, int, bytes]]()
    for leaf in leaves:
        frontier.append(leaf, completed)
    subtree = subtrees_of(leaves)
    assert [(level, index) for level, index, _ in completed if level > 1] == [(2, 0)]
    assert [index for level, index, _ in completed if level == 1] == list(range(257))
    assert all(root == subtree(8 * level, index) for level, index, root in completed)


def test_a_frontier_that_does_not_fit_its_size_is_refused() -> None:
    with pytest.raises(ValueError, match="a tree of 3 leaves has 2 hashes"):
        Frontier.from_bytes(3, bytes(32))
    with pytest.raises(ValueError, match="whole number"):
        Frontier.from_bytes(1, bytes(31))
