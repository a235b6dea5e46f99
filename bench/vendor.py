"""A throw-away vendor and installation for benchmarks."""

import time
from pathlib import Path

from license.crypto.ed25519 import SigningKey, load_signing_key, save_signing_key
from license.licenses.license import License
from license.licenses.terms import InstanceBinding, Plan
from license.licenses.verify import AuthenticLicense, open_license
from license.trust.delegation import Delegation
from license.trust.roots import load_roots
from license.trust.signed_note import sign_note
from license.trust.statement import render_statement

DAY = 86_400


def licensed_machine(
    directory: Path, *, issued: int | None = None, days: int = 1
) -> tuple[SigningKey, Path, AuthenticLicense]:
    """Return an identity, its state directory and a licence for it; the same ones for the same directory.

    Its root key is in `roots`.
    """
    state, roots_directory = directory / "state", directory / "roots"
    if state.is_dir():
        roots = load_roots(roots_directory)
        notes = [(directory / name).read_bytes() for name in ("license.note", "issuer.note")]
        return load_signing_key(directory / "instance.key"), state, open_license(*notes, roots=roots)
    state.mkdir(mode=0o700)
    roots_directory.mkdir()
    root, issuer = SigningKey.generate("bench/root"), SigningKey.generate("bench/issuer")
    identity = SigningKey.generate("offline-appliance/instance")
    (roots_directory / "root.vkey").write_text(root.verifying.vkey + "\n")
    save_signing_key(directory / "instance.key", identity)
    now = int(time.time()) if issued is None else issued
    end = now + days * DAY
    delegation = Delegation(
        role="issuer", vkey=issuer.verifying.vkey, not_before=now - DAY, not_after=end, epoch=1
    )
    terms = License(
        id="01J00000000000000000000001",
        serial=1,
        issued=now,
        not_before=now,
        expires=end,
        terminates=end,
        report_by=now,
        customer="Bench",
        subscription="bench",
        product="ner",
        plan=Plan(tier="DC0", period=(now - now % DAY, now - now % DAY + 365 * DAY), meters=()),
        instance=InstanceBinding(binding="instance", vkeys=(identity.verifying.vkey,)),
    )
    note = sign_note(render_statement("license", terms.to_claims()), issuer)
    issuer_note = sign_note(render_statement("delegation", delegation.to_claims()), root)
    (directory / "license.note").write_bytes(note)
    (directory / "issuer.note").write_bytes(issuer_note)
    return identity, state, open_license(note, issuer_note, roots=load_roots(roots_directory))
