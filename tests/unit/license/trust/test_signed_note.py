from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from license.crypto.ed25519 import SigningKey, VerifyingKey, load_signing_key, load_verifying_key
from license.encoding.strict import encode_base64
from license.errors import Forged, LicenseError, Malformed, UnknownSigner
from license.trust.signed_note import MAX_SIGNATURES, open_note, read_unverified, sign_note

TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"


def test_the_published_note_verifies_and_is_signed_alike(vectors: Path) -> None:
    data = (vectors / "note-peter-neumann.note").read_bytes()
    key = load_verifying_key(vectors / "note-peter-neumann.vkey")
    note = open_note(data, [key])
    assert note.text == TEXT
    assert note.signers == (key,)
    secret = SigningKey.from_text((vectors / "note-peter-neumann.skey").read_text().strip())
    assert sign_note(TEXT, secret) == data


def test_of_two_signatures_the_known_ones_are_named(vectors: Path) -> None:
    data = (vectors / "note-two-signers.note").read_bytes()
    peter = load_verifying_key(vectors / "note-peter-neumann.vkey")
    enoch = load_verifying_key(vectors / "enoch-root.vkey")
    assert open_note(data, [enoch]).signers == (enoch,)
    assert open_note(data, [enoch, peter]).signers == (peter, enoch)


def test_the_example_of_the_specification_is_a_note_by_a_stranger(vectors: Path, alice: SigningKey) -> None:
    data = (vectors / "note-quasimodo.note").read_bytes()
    assert read_unverified(data).endswith("\n\ned è subito sera.\n")
    with pytest.raises(UnknownSigner, match=r"quasimodo\.example/salvatore\+367ba04b"):
        open_note(data, [alice.verifying])


@given(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters=[chr(c) for c in range(32)])).filter(
        lambda text: not text.startswith("\ufeff")
    ),
    st.integers(0, 3),
)
def test_any_printable_text_survives(text: str, newlines: int) -> None:
    key = SigningKey.generate("k")
    text += "\n" * (newlines + 1)
    assert open_note(sign_note(text, key), [key.verifying]).text == text


def test_windows_line_ends_and_byte_order_mark_do_no_harm(alice: SigningKey) -> None:
    data = sign_note("one\n\ntwo\n", alice)
    windows = b"\xef\xbb\xbf" + data.replace(b"\n", b"\r\n")
    assert open_note(windows, [alice.verifying]).text == "one\n\ntwo\n"


def test_one_bad_signature_by_a_known_key_condemns_the_note(alice: SigningKey, bob: SigningKey) -> None:
    good = sign_note(TEXT, alice)
    bad = sign_note("another text\n", bob).rpartition(b"\n\n")[2]
    assert open_note(good + bad, [alice.verifying]).signers == (alice.verifying,)
    with pytest.raises(Forged, match="bob"):
        open_note(good + bad, [alice.verifying, bob.verifying])


def test_a_second_bad_line_of_the_same_key_condemns_too(alice: SigningKey) -> None:
    good = sign_note(TEXT, alice)
    bad = sign_note("another text\n", alice).rpartition(b"\n\n")[2]
    with pytest.raises(Forged):
        open_note(good + bad, [alice.verifying])
    assert open_note(good + good.rpartition(b"\n\n")[2], [alice.verifying]).signers == (alice.verifying,)


def test_a_key_of_the_same_name_is_unknown_not_forged(alice: SigningKey) -> None:
    twin = SigningKey.generate(alice.name)
    with pytest.raises(UnknownSigner):
        open_note(sign_note(TEXT, twin), [alice.verifying])


def test_two_trusted_keys_that_cannot_be_told_apart_are_refused(alice: SigningKey) -> None:
    twin = VerifyingKey(name=alice.name, public=SigningKey.generate("x").verifying.public)
    object.__setattr__(twin, "key_id", alice.key_id)  # as if four bytes of SHA-256 had collided
    with pytest.raises(Malformed, match="two different trusted keys"):
        open_note(sign_note(TEXT, alice), [alice.verifying, twin])
    assert open_note(sign_note(TEXT, alice), [alice.verifying, alice.verifying])


def test_a_stranger_cannot_write_to_the_terminal_through_a_refusal(alice: SigningKey) -> None:
    stranger = SigningKey.generate("a\x9b31mb\u202ec")
    with pytest.raises(UnknownSigner, match=r"a\?31mb\?c\+") as caught:
        open_note(sign_note(TEXT, stranger), [alice.verifying])
    assert caught.value.message.isprintable()


def test_a_known_key_with_a_short_signature_is_forged(alice: SigningKey) -> None:
    line = f"— {alice.name} {encode_base64(alice.key_id + b'x' * 63)}\n"
    with pytest.raises(Forged, match="length"):
        open_note(f"{TEXT}\n{line}".encode(), [alice.verifying])


def test_sixteen_long_unknown_signatures_are_borne(alice: SigningKey) -> None:
    unknown = "".join(f"— pq{n} {encode_base64(b'x' * 5_000)}\n" for n in range(16))
    assert open_note(sign_note(TEXT, alice) + unknown.encode(), [alice.verifying]).signers


def test_more_than_a_hundred_signatures_are_refused_before_any_is_checked(alice: SigningKey) -> None:
    line = sign_note(TEXT, alice).rpartition(b"\n\n")[2]
    assert open_note(f"{TEXT}\n".encode() + line * MAX_SIGNATURES, [alice.verifying])
    with pytest.raises(Malformed, match="100"):
        open_note(f"{TEXT}\n".encode() + line * (MAX_SIGNATURES + 1), [alice.verifying])


@pytest.mark.parametrize(
    "damage",
    [
        lambda text, line: text,
        lambda text, line: text + "\n",
        lambda text, line: text + "\n" + line[:-1],
        lambda text, line: "\x01" + text + "\n" + line,
        lambda text, line: text + "\n" + line.replace("— ", "- "),
        lambda text, line: text + "\n" + line.replace("example.com/alice", "Bad Name"),
        lambda text, line: text + "\n" + line + "Unexpected line.\n",
        lambda text, line: text + "\n" + line + "\n",
        lambda text, line: text + line,
        lambda text, line: text + "\n— example.com/alice\n",
        lambda text, line: text + "\n— example.com/alice AAAAAA==\n",
        lambda text, line: text + "\n— example.com/alice \n",
        lambda text, line: text + "\n—  \n",
        lambda text, line: "",
    ],
)
def test_what_is_not_a_note_is_malformed(damage, alice: SigningKey) -> None:  # type: ignore[no-untyped-def]
    line = sign_note(TEXT, alice).decode().rpartition("\n\n")[2]
    data = damage(TEXT, line).encode()
    with pytest.raises(Malformed):
        open_note(data, [alice.verifying])
    with pytest.raises(Malformed):
        read_unverified(data)


@pytest.mark.parametrize(
    "text", ["no newline", "", "tab\there\n", "\r\n", "\ufeffx\n", "\ud800\n", "nul\x00\n"]
)
def test_a_text_that_would_not_come_back_is_not_signed(text: str, alice: SigningKey) -> None:
    with pytest.raises(Malformed):
        sign_note(text, alice)


def test_a_note_needs_a_signer_and_each_only_once(alice: SigningKey) -> None:
    with pytest.raises(Malformed):
        sign_note(TEXT)
    with pytest.raises(Malformed):
        sign_note(TEXT, alice, alice)


@given(st.binary(max_size=300))
def test_garbage_is_refused_and_nothing_else_happens(data: bytes) -> None:
    key = VerifyingKey.from_vkey("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
    with pytest.raises(LicenseError):
        open_note(data, [key])


@given(st.data())
def test_no_mutation_of_the_published_note_verifies(vectors: Path, data: st.DataObject) -> None:
    good = (vectors / "note-peter-neumann.note").read_bytes()
    key = load_verifying_key(vectors / "note-peter-neumann.vkey")
    start = data.draw(st.integers(0, len(good)))
    end = data.draw(st.integers(start, min(len(good), start + 4)))
    changed = good[:start] + data.draw(st.binary(max_size=4)) + good[end:]
    try:
        note = open_note(changed, [key])
    except LicenseError:
        return
    assert note.text == TEXT
    assert changed.replace(b"\r", b"").removeprefix(b"\xef\xbb\xbf") == good


def test_a_key_file_signs_a_note(tmp_path: Path, vectors: Path) -> None:
    path = tmp_path / "skey"
    path.write_bytes((vectors / "note-peter-neumann.skey").read_bytes())
    path.chmod(0o600)
    assert sign_note(TEXT, load_signing_key(path)) == (vectors / "note-peter-neumann.note").read_bytes()
