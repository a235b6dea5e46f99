"""Proofs in the formats of C2SP: written as the specifications say, and believed only where they hold."""

import base64
import hashlib
import importlib
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from appliance.ledger.read.inclusion_proof import NoProof, prove_entry
from license.crypto.ed25519 import SigningKey, VerifyingKey
from license.errors import Forged, LicenseError, Malformed, UnknownSigner
from license.evidence.log.checkpoint import Checkpoint, sign_checkpoint
from license.evidence.log.cosignature import add_line, check_cosignature, cosign
from license.evidence.log.merkle import (
    Frontier,
    check_consistency,
    consistency_path,
    cut,
    inclusion_path,
    leaf_hash,
    root_at,
)
from license.evidence.log.proof import ConsistencyProof, InclusionProof
from license.trust.signed_note import open_note
from tests.support.evidence import subtrees_of
from tests.support.ledger import Machine

pymerkle: Any = importlib.import_module("pymerkle")  # it brings no types

LOG = SigningKey.generate("log.example/1")
WITNESS = SigningKey.generate("vendor.example/witness")
TEXTS = [f"entry {n}" for n in range(70)]
LEAVES = [leaf_hash(text.encode()) for text in TEXTS]

# The example of C2SP tlog-proof, with the parts it abridges left as they are.
SPEC_PROOF = b"""c2sp.org/tlog-proof@v1
index 73894
gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=
B95lDa8R83lS8n0eG+o0buTxRKQTYFi//1U8anccXmA=

example.com/fancylog
109482
sFodV/vSp5O8n9a8QpW6PRY97tfOSW5bsc2Xl/EQi08=

\xe2\x80\x94 example.com/fancylog AAAAAQAA
"""
# The request body of C2SP tlog-witness, and the cosigned checkpoint of C2SP tlog-cosignature.
SPEC_REQUEST = b"""old 20852014
PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=
jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=
5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=
/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=

example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

\xe2\x80\x94 example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
\xe2\x80\x94 example.com/behind-the-sofa opLqBQsREYCgu6xQkYQwJr9fo45a62DN9EdmHXnZdXNqlcVGlCum2Wks+49/V6267UEjw6QUXTS5Rovnzv++qbSzm9Q=
"""  # noqa: E501


def head(size: int) -> Checkpoint:
    return Checkpoint(origin=LOG.name, size=size, root=root_at(size, subtrees_of(LEAVES[:size])))


def inclusion(n: int, size: int) -> InclusionProof:
    path = inclusion_path(n, size, subtrees_of(LEAVES[:size]))
    return InclusionProof(index=n, path=tuple(path), checkpoint=sign_checkpoint(head(size), LOG))


@pytest.mark.parametrize("spec", [SPEC_PROOF, SPEC_PROOF.replace(b"index", b"extra AAEC\nindex", 1)])
def test_the_example_of_tlog_proof_reads_and_is_written_back(spec: bytes) -> None:
    proof = InclusionProof.from_bytes(spec)
    assert (proof.index, len(proof.path)) == (73894, 2)
    assert proof.to_bytes() == spec


def test_the_example_of_tlog_witness_reads_and_is_written_back() -> None:
    proof = ConsistencyProof.from_bytes(SPEC_REQUEST)
    assert (proof.old, len(proof.path)) == (20852014, 4)
    assert proof.to_bytes() == SPEC_REQUEST


@given(st.integers(1, 70).flatmap(lambda size: st.tuples(st.integers(0, size - 1), st.just(size))))
def test_every_entry_can_be_proved(place: tuple[int, int]) -> None:
    n, size = place
    proof = InclusionProof.from_bytes(inclusion(n, size).to_bytes())
    assert proof.open(TEXTS[n], [LOG.verifying]).checkpoint.size == size


@given(st.integers(1, 70), st.data())
def test_another_entry_index_or_hash_is_refused(size: int, data: st.DataObject) -> None:
    n = data.draw(st.integers(0, size - 1))
    proof = inclusion(n, size)
    with pytest.raises(Forged):
        proof.open(TEXTS[n] + " ", [LOG.verifying])
    if size > 1:
        other = InclusionProof(index=(n + 1) % size, path=proof.path, checkpoint=proof.checkpoint)
        with pytest.raises(Forged):
            other.open(TEXTS[n], [LOG.verifying])
    with pytest.raises(UnknownSigner):
        proof.open(TEXTS[n], [WITNESS.verifying])


@given(st.integers(0, 70), st.data())
def test_growth_can_be_proved_and_nothing_else(old: int, data: st.DataObject) -> None:
    new = data.draw(st.integers(max(old, 1), 70))
    path = consistency_path(old, new, subtrees_of(LEAVES[:new]))
    proof = ConsistencyProof(old=old, path=tuple(path), checkpoint=sign_checkpoint(head(new), LOG))
    proof = ConsistencyProof.from_bytes(proof.to_bytes())
    old_root = root_at(old, subtrees_of(LEAVES[:old]))
    proof.open(old_root, [LOG.verifying])
    with pytest.raises(Forged):
        proof.open(hashlib.sha256(old_root).digest(), [LOG.verifying])


@given(st.integers(0, 70), st.data())
def test_a_gap_cut_anywhere_leads_to_the_same_root(start: int, data: st.DataObject) -> None:
    stop = data.draw(st.integers(start, 70))
    frontier = Frontier()
    for leaf in LEAVES[:start]:
        frontier.append(leaf)
    for height, index in cut(start, stop):
        frontier.append_subtree(height, subtrees_of(LEAVES)(height, index))
    for leaf in LEAVES[stop:]:
        frontier.append(leaf)
    assert frontier.root() == root_at(70, subtrees_of(LEAVES))


def test_a_subtree_where_none_can_begin_is_refused() -> None:
    with pytest.raises(ValueError, match="no subtree of height 1 begins at leaf 1"):
        Frontier(1, [LEAVES[0]]).append_subtree(1, LEAVES[1])


@given(st.binary(max_size=400))
def test_garbage_is_no_proof(data: bytes) -> None:
    for kind in (InclusionProof, ConsistencyProof):
        with pytest.raises(LicenseError):
            kind.from_bytes(data)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("@v1", "@v2"),
        lambda text: text.replace("index 3", "index 03"),
        lambda text: text.replace("index 3", "index -3"),
        lambda text: text.replace("index 3\n", ""),
        lambda text: text.replace("=\n", "\n", 1),
        lambda text: text.replace("\n\n", "\n"),
    ],
)
def test_another_spelling_is_refused(change: object) -> None:
    text = inclusion(3, 9).to_bytes().decode()
    assert callable(change)
    with pytest.raises(LicenseError):
        InclusionProof.from_bytes(change(text).encode()).open(TEXTS[3], [LOG.verifying])


# -- cosignatures ------------------------------------------------------------------------------------------


def test_a_cosignature_is_what_the_specification_says() -> None:
    line = cosign(head(9), WITNESS, at=1_679_315_147)
    _, name, encoded = line.split(" ")
    data = base64.b64decode(encoded)
    public = WITNESS.verifying.public
    key_id = hashlib.sha256(name.encode() + b"\n\x04" + public).digest()[:4]
    assert data[:4] == key_id
    assert int.from_bytes(data[4:12], "big") == 1_679_315_147
    message = b"cosignature/v1\ntime 1679315147\n" + head(9).to_text().encode()
    Ed25519PublicKey.from_public_bytes(public).verify(data[12:], message)


def test_a_cosigned_checkpoint_still_opens_as_the_logs_own() -> None:
    line = cosign(head(9), WITNESS, at=1_700_000_000)
    note = add_line(sign_checkpoint(head(9), LOG), line)
    assert open_note(note, [LOG.verifying, WITNESS.verifying]).signers == (LOG.verifying,)
    assert check_cosignature(line, head(9), WITNESS.verifying) == 1_700_000_000
    with pytest.raises(Forged):
        add_line(note, line)


def test_a_cosignature_of_another_head_time_or_key_is_refused() -> None:
    line = cosign(head(9), WITNESS, at=1_700_000_000)
    with pytest.raises(Forged):
        check_cosignature(line, head(10), WITNESS.verifying)
    with pytest.raises(UnknownSigner):
        check_cosignature(line, head(9), LOG.verifying)
    _, name, encoded = line.split(" ")
    data = bytearray(base64.b64decode(encoded))
    data[11] ^= 1
    with pytest.raises(Forged):
        check_cosignature(f"\u2014 {name} {base64.b64encode(data).decode()}", head(9), WITNESS.verifying)
    for bad in ("", "x", f"\u2014 {name}", f"\u2014 {name} AAAA", f"- {name} {encoded}"):
        with pytest.raises((Malformed, UnknownSigner, Forged)):
            check_cosignature(bad, head(9), WITNESS.verifying)


# -- from a ledger -----------------------------------------------------------------------------------------


def keys_of(machine: Machine) -> list[VerifyingKey]:
    rows = machine.sql("SELECT text FROM entry WHERE kind IN ('open', 'key')")
    return [VerifyingKey.from_vkey(str(text).partition('"vk":"')[2].partition('"')[0]) for (text,) in rows]


def test_the_service_proves_each_of_its_entries(three_days: Machine) -> None:
    texts = three_days.texts()
    origin = texts[0].partition('"o":"')[2].partition('"')[0]
    for n in range(0, len(texts), 5):
        proof = InclusionProof.from_bytes(prove_entry(three_days.output, origin, n))
        assert proof.extra == texts[n].encode()
        assert proof.open(texts[n], keys_of(three_days)).checkpoint.origin == origin


@pytest.mark.parametrize("n", [10_000, 10**17])
def test_what_was_never_written_cannot_be_proved(three_days: Machine, n: int) -> None:
    origin = three_days.texts()[0].partition('"o":"')[2].partition('"')[0]
    with pytest.raises(NoProof):
        prove_entry(three_days.output, origin, n)


def test_a_log_that_is_not_here_cannot_be_proved(three_days: Machine, tmp_path: Path) -> None:
    with pytest.raises(NoProof):
        prove_entry(three_days.output, "offline-appliance/customner/000000000000/1", 0)


# -- by an implementation that is not ours -----------------------------------------------------------------


@given(st.integers(1, 70), st.data())
def test_another_implementation_builds_the_same_tree_and_believes_our_proofs(
    size: int, data: st.DataObject
) -> None:
    tree = pymerkle.InmemoryTree(algorithm="sha256")
    for text in TEXTS[:size]:
        tree.append_entry(text.encode())
    assert tree.get_root() == head(size).root
    n = data.draw(st.integers(0, size - 1))
    theirs = tree.prove_inclusion(n + 1, size)
    ours = type(theirs)("sha256", True, size, n + 1, theirs.rule, [LEAVES[n], *inclusion(n, size).path])
    pymerkle.verify_inclusion(LEAVES[n], head(size).root, ours, index=n + 1, size=size)
    old = data.draw(st.integers(1, size))
    pymerkle.verify_consistency(head(old).root, head(size).root, tree.prove_consistency(old, size))
    path = consistency_path(old, size, subtrees_of(LEAVES[:size]))
    check_consistency(old, size, tree.get_root(old), tree.get_root(size), path)


def test_another_implementation_believes_the_proof_of_a_ledger(three_days: Machine) -> None:
    texts = three_days.texts()
    origin = texts[0].partition('"o":"')[2].partition('"')[0]
    tree = pymerkle.InmemoryTree(algorithm="sha256")
    for text in texts:
        tree.append_entry(text.encode())
    for n in range(0, len(texts), 7):
        proof = InclusionProof.from_bytes(prove_entry(three_days.output, origin, n))
        size, root = proof.checkpoint.decode().split("\n")[1:3]
        assert base64.b64decode(root) == tree.get_root(int(size))
        rule = tree.prove_inclusion(n + 1, int(size)).rule
        theirs = pymerkle.InclusionProof(
            "sha256", True, int(size), n + 1, rule, [leaf_hash(texts[n].encode()), *proof.path]
        )
        pymerkle.verify_inclusion(leaf_hash(texts[n].encode()), base64.b64decode(root), theirs)
