"""The next issuer, or the next witness: a root delegates to a new key with the next epoch.

Appliances installed before need nothing: they know the roots. Once one of them has seen the new epoch, it
refuses every licence whose issuer has a lower one; one that never saw it cannot know.
"""

from __future__ import annotations

from pathlib import Path

from license.authority.keys.keyring import install, key_path, read_delegation
from license.crypto.ed25519 import SigningKey
from license.errors import AuthorityError, Unwritable
from license.files import write_atomic
from license.trust.delegation import Delegation
from license.trust.roots import load_roots


def rotate(home: Path, role: str, root: SigningKey, *, now: int) -> Delegation:
    """Put a new key in force for `role`, and erase the private half of the one before.

    Args:
        home: The authority's directory.
        role: `issuer` or `witness`.
        root: Any of its roots.
        now: Unix second from which the new delegation holds.

    Raises:
        AuthorityError: `root` is not a root of this authority.
        LicenseError: the present delegation is unreadable, malformed or forged.
        Unwritable: the directory cannot be written; the key before stays in force.
    """
    roots = load_roots(home / "roots")
    if root.verifying not in roots.keys:
        raise AuthorityError(
            f"the key {root.name} is not a root of the authority in {home}",
            code="NotARoot",
            hint=f"its roots are {', '.join(key.vkey for key in roots)}",
        )
    note, before = read_delegation(home, role, roots)
    key = SigningKey.generate(before.key.name)
    try:
        (home / "former").mkdir(exist_ok=True)
        write_atomic(home / "former" / f"{role}-{before.epoch}.note", note, mode=0o644)
        delegation = install(home, root, role, key, now=now, epoch=before.epoch + 1)
        key_path(home, role, before.epoch).unlink(missing_ok=True)
    except OSError as error:
        raise Unwritable(f"cannot write to {home}: {error.strerror}") from error
    return delegation
