"""A throw-away vendor and installation for benchmarks."""

import time
from pathlib import Path

from license.claims import InstanceBinding, License, Plan
from license.delegation import Delegation
from license.keys import SigningKey
from license.note import sign_note
from license.roots import TrustRoots
from license.statement import render_statement
from license.verify import AuthenticLicense, open_license

DAY = 86_400


def licensed_machine(directory: Path) -> tuple[SigningKey, Path, AuthenticLicense]:
    """Return an identity, its state directory and a licence for it."""
    state = directory / "state"
    state.mkdir(mode=0o700)
    root, issuer = SigningKey.generate("bench/root"), SigningKey.generate("bench/issuer")
    identity = SigningKey.generate("offline-appliance/instance")
    now = int(time.time())
    delegation = Delegation(
        role="issuer", vkey=issuer.verifying.vkey, not_before=now - DAY, not_after=now + DAY, epoch=1
    )
    terms = License(
        id="01J00000000000000000000001",
        serial=1,
        issued=now,
        not_before=now,
        expires=now + DAY,
        terminates=now + DAY,
        report_by=now,
        customer="Bench",
        subscription="bench",
        product="ner",
        plan=Plan(tier="DC0", period=(now - now % DAY, now - now % DAY + 365 * DAY), meters=()),
        instance=InstanceBinding(binding="instance", vkeys=(identity.verifying.vkey,)),
    )
    roots = TrustRoots(keys=(root.verifying,), sources=(directory,))
    licensed = open_license(
        sign_note(render_statement("license", terms.to_claims()), issuer),
        sign_note(render_statement("delegation", delegation.to_claims()), root),
        roots=roots,
    )
    return identity, state, licensed
