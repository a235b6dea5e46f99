"""The vendor's keys on disk, and the delegations that tie them together.

    HOME/keys/root.key, spare-root.key     0600; belong on two off-line media, nothing here needs them again
    HOME/keys/issuer.key, witness.key      0600; sign licences and cosign usage logs
    HOME/roots/root.vkey, spare-root.vkey  what every appliance is installed with
    HOME/issuer.note, witness.note         delegations by the first root

The spare root signs nothing: it is there for the day the first is lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from license import delegation
from license.delegation import Delegation
from license.errors import AuthorityError, Unwritable
from license.files import read_limited, write_atomic
from license.keys import SigningKey, load_signing_key, save_signing_key
from license.note import MAX_NOTE_BYTES, sign_note
from license.roots import TrustRoots, load_roots
from license.statement import render_statement
from license.validity import DAY
from license.verify import open_delegation

ISSUER_DAYS: Final = 730
ROOT_NAMES: Final = ("root", "spare-root")
ROLES: Final = ("issuer", "witness")


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyring:
    """The keys the vendor works with every day; no root among them.

    Attributes:
        roots: The public roots.
        issuer: Signs licences.
        issuer_note: The delegation that travels beside each licence.
        delegation: What that note says.
        witness: Cosigns usage logs.
        witness_note: Its delegation.
    """

    roots: TrustRoots
    issuer: SigningKey
    issuer_note: bytes
    delegation: Delegation
    witness: SigningKey
    witness_note: bytes


def create_keyring(home: Path, *, name: str, now: int) -> Keyring:
    """Make all keys and delegations of a new vendor under `home` and return those for daily use.

    Args:
        home: A directory; made if missing, refused if it already holds keys.
        name: The vendor's name in key names, best a domain such as `license.example.com`.
        now: Unix second from which the delegations hold.

    Raises:
        AuthorityError: there are keys already.
        Malformed: the name may not stand in a note.
        Unwritable: the directory cannot be written.
    """
    if (home / "keys").exists():
        raise AuthorityError(
            f"{home} already holds the keys of an authority",
            code="AlreadyExists",
            hint="use it as it is, or choose another directory; keys are never overwritten",
        )
    keys = {role: SigningKey.generate(f"{name}/{role}") for role in (*ROOT_NAMES, *ROLES)}
    try:
        home.mkdir(parents=True, exist_ok=True)
        (home / "roots").mkdir(exist_ok=True)
        (home / "keys").mkdir(mode=0o700)
        for role, key in keys.items():
            save_signing_key(home / "keys" / f"{role}.key", key)
        for root in ROOT_NAMES:
            write_atomic(
                home / "roots" / f"{root}.vkey", f"{keys[root].verifying.vkey}\n".encode(), mode=0o644
            )
        for role in ROLES:
            note = delegate(keys["root"], role, keys[role], now=now, epoch=1)
            write_atomic(home / f"{role}.note", note, mode=0o644)
    except OSError as error:
        raise Unwritable(f"cannot make the authority in {home}: {error.strerror}") from error
    return load_keyring(home)


def delegate(root: SigningKey, role: str, key: SigningKey, *, now: int, epoch: int) -> bytes:
    """Return the note in which `root` entitles `key` to `role` for two years from `now`."""
    claims = Delegation(
        role=role,
        vkey=key.verifying.vkey,
        not_before=now,
        not_after=now + ISSUER_DAYS * DAY,
        epoch=epoch,
    ).to_claims()
    return sign_note(render_statement(delegation.KIND, claims), root)


def load_keyring(home: Path) -> Keyring:
    """Return the keys for daily use, after checking that the delegations fit them.

    Raises:
        AuthorityError: there is no authority in `home`, or a delegation names another key.
        LicenseError: a file is unreadable, malformed or forged.
    """
    if not (home / "issuer.note").exists():
        raise AuthorityError(
            f"there is no authority in {home}",
            code="NoAuthority",
            hint=f"make one with `license init {home}`, or name another with --home",
        )
    roots = load_roots(home / "roots")
    keys = {role: load_signing_key(home / "keys" / f"{role}.key") for role in ROLES}
    notes = {role: read_limited(home / f"{role}.note", MAX_NOTE_BYTES) for role in ROLES}
    delegations = {role: open_delegation(notes[role], roots=roots, role=role)[0] for role in ROLES}
    for role in ROLES:
        if delegations[role].key != keys[role].verifying:
            raise AuthorityError(
                f"{home / role}.note does not delegate to the key {role}.key", code="KeyMismatch"
            )
    return Keyring(
        roots=roots,
        issuer=keys["issuer"],
        issuer_note=notes["issuer"],
        delegation=delegations["issuer"],
        witness=keys["witness"],
        witness_note=notes["witness"],
    )
