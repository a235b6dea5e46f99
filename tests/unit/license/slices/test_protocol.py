import dataclasses
import json
from typing import Any

import pytest

from license.crypto.ed25519 import SigningKey
from license.errors import Forged, LicenseError, Malformed, UnknownSigner, WrongType
from license.evidence.log.checkpoint import Checkpoint
from license.slices.protocol import (
    Shortage,
    Slice,
    SliceReply,
    Standing,
    open_slice,
    open_standing,
    read_reply,
    sign_slice,
    sign_standing,
)

REPLICA = SigningKey.generate("offline-appliance/instance")
DESK = SigningKey.generate("offline-appliance/instance")
METER = "CognitiveServices.Ner.Container.TextRecords"
LOG = f"offline-appliance/customner/{REPLICA.verifying.fingerprint}/1"


def slice_of(**changes: Any) -> Slice:
    values: dict[str, Any] = {
        "instance": REPLICA.verifying.vkey,
        "subscription": "s-1",
        "term": 86_400,
        "units": ((METER, 7),),
        "sequence": 12,
        "issued": 90_000,
    }
    return Slice(**(values | changes))


def standing_of(**changes: Any) -> Standing:
    values: dict[str, Any] = {
        "instance": REPLICA.verifying.vkey,
        "head": Checkpoint(origin=LOG, size=5, root=bytes(32)),
        "since": 3,
        "growth": (bytes(32), b"\1" * 32),
        "term": 86_400,
        "used": ((METER, 4),),
        "need": ((METER, 2),),
        "wants": ((METER, 9),),
        "held": b"a note\n",
        "keeps": ((METER, 5),),
        "returns": True,
        "created": 90_000,
    }
    return Standing(**(values | changes))


def test_a_slice_reads_as_it_was_signed() -> None:
    signed = sign_slice(slice_of(), DESK)
    assert open_slice(signed.note, DESK.verifying) == signed
    assert (signed.of(METER, 86_400), signed.of(METER, 0), signed.of("other", 86_400)) == (7, 0, 0)


def test_a_slice_by_another_key_or_changed_is_refused() -> None:
    note = sign_slice(slice_of(), DESK).note
    with pytest.raises(UnknownSigner):
        open_slice(note, REPLICA.verifying)
    with pytest.raises(Forged):
        open_slice(note.replace(b": 7", b": 8"), DESK.verifying)


def test_a_standing_reads_as_it_was_signed() -> None:
    assert open_standing(sign_standing(standing_of(), REPLICA)) == standing_of()
    bare = standing_of(held=b"", growth=(), used=(), need=(), wants=(), returns=False)
    assert open_standing(sign_standing(bare, REPLICA)) == bare
    assert bare.fingerprint == REPLICA.verifying.fingerprint


def test_a_standing_is_signed_by_the_key_it_names_over_a_log_of_its_own() -> None:
    with pytest.raises(Malformed, match="the key it names"):
        sign_standing(standing_of(), DESK)
    note = sign_standing(standing_of(), REPLICA)
    with pytest.raises(Forged):
        open_standing(note.replace(b'"since": 3', b'"since": 4'))
    other = Checkpoint(origin=LOG.replace(REPLICA.verifying.fingerprint, "0" * 12), size=5, root=bytes(32))
    with pytest.raises(Malformed, match="not of a log of this installation"):
        open_standing(sign_standing(standing_of(head=other), REPLICA))


def test_one_is_not_taken_for_the_other() -> None:
    with pytest.raises(WrongType):
        open_standing(sign_slice(slice_of(), REPLICA).note)


@pytest.mark.parametrize(
    "change",
    [{"units": ((METER, -1),)}, {"units": ((METER, 1), (METER, 2))}, {"sequence": -1}, {"instance": "x"}],
)
def test_values_that_cannot_be_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(LicenseError):
        slice_of(**change)


def test_a_reply_reads_as_it_was_written_and_anything_else_is_refused() -> None:
    reply = SliceReply(status="Valid", slice=b"a note\n", head=5, retry_s=2, shortage=Shortage.LAST)
    written = json.loads(json.dumps(reply.to_claims("All is well.")))
    assert read_reply(written) == reply
    for field in dataclasses.fields(reply):
        name = {"retry_s": "retry", "shortage": "short"}.get(field.name, field.name)
        with pytest.raises(Malformed):
            read_reply(written | {name: 3 if name == "short" else None})


def test_a_reply_of_a_desk_that_does_not_speak_of_short_plans_is_read() -> None:
    written = SliceReply(status="Valid", slice=b"a note\n", head=5).to_claims("All is well.")
    before = read_reply({name: value for name, value in written.items() if name != "short"})
    assert before.shortage is Shortage.NONE
