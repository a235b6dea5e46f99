"""A caller keeps the proof of an answer, and anybody can check it against the installation's keys."""

import pytest

from license.crypto.ed25519 import VerifyingKey
from license.evidence.log.entry import parse
from license.evidence.log.proof import InclusionProof
from tests.support.ledger import wait_until
from tests.support.site import SENTENCE, VERSION, Site

pytestmark = pytest.mark.e2e


def test_the_record_of_an_answer_can_be_proved_at_once(site: Site) -> None:
    site.issue()
    anchors = [site.home / "one.checkpoint", site.home / "two.checkpoint"]
    with site.start(f"Ledger:Anchors={anchors[0]},{anchors[1]}").client() as client:
        body = {
            "kind": "EntityRecognition",
            "analysisInput": {"documents": [{"id": "1", "text": SENTENCE}]},
        }
        answer = client.post("/language/:analyze-text", params=VERSION, json=body)
        assert answer.status_code == 200, answer.text
        origin, _, n = answer.headers["Usage-Record"].rpartition("/")
        proof = InclusionProof.from_bytes(client.get(f"/records/proof/{n}").content)
        first = InclusionProof.from_bytes(client.get("/records/proof/0", params={"log": origin}).content)
        assert first.extra is not None
        assert proof.extra is not None
        key = VerifyingKey.from_vkey(parse(first.extra.decode()).text("vk"))
        assert proof.open(proof.extra.decode(), [key]).checkpoint.origin == origin
        assert parse(proof.extra.decode()).n == int(n)
        places = [*anchors, *site.home.rglob("checkpoint")]
        wait_until(lambda: {path.read_bytes() for path in places} == {proof.checkpoint})
        for path, status in (("999999", 404), ("x", 400), ("-1", 400), (f"{n}?log=nobody", 404)):
            assert client.get(f"/records/proof/{path}").status_code == status
