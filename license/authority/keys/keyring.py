"""The vendor's keys on disk, and the delegations that tie them together.

    HOME/keys/root.key[.age], spare-root.key[.age]  unless they were put elsewhere; nothing daily needs them
    HOME/keys/issuer-<epoch>.key                    signs licences and model manifests
    HOME/keys/witness-<epoch>.key                   cosigns usage logs
    HOME/keys/lines/<name>+<number>.key             age identity of a model line
                                                    (`license.authority.keys.model_lines`)
    HOME/roots/root.vkey, spare-root.vkey           what every appliance is installed with
    HOME/issuer.note, witness.note                  delegations by a root; each names the epoch of its key
    HOME/former/<role>-<epoch>.note                 delegations that were replaced: older licences need them

All private files have mode 0600. Replacing `issuer.note` is what puts the next issuer in force: its key is
there before, so that at any instant the two fit, crash or not. The spare root signs nothing until the first
is lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from license.authority.keys.root_keys import RootPlace, save_root
from license.crypto.ed25519 import SigningKey, load_signing_key, save_signing_key
from license.encoding.strict import DAY
from license.errors import AuthorityError, Unreadable, Unwritable
from license.files import quoted, read_limited, write_atomic
from license.trust.delegation import DELEGATION_KIND, ROLES, Delegation, open_delegation
from license.trust.roots import TrustRoots, load_roots
from license.trust.signed_note import MAX_NOTE_BYTES, sign_note
from license.trust.statement import render_statement

ISSUER_DAYS: Final = 730
ROOT_NAMES: Final = ("root", "spare-root")


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyring:
    """The keys the vendor works with every day; no root among them.

    Attributes:
        roots: The public roots.
        issuer: Signs licences and model manifests.
        issuer_note: The delegation that travels beside each licence.
        delegation: What that note says.
        witness: Cosigns usage logs.
        witness_note: Its delegation.
        former_witness_notes: Those of the witnesses before, which heads cosigned earlier need.
    """

    roots: TrustRoots
    issuer: SigningKey
    issuer_note: bytes
    delegation: Delegation
    witness: SigningKey
    witness_note: bytes
    former_witness_notes: tuple[bytes, ...] = ()

    @property
    def witness_notes(self) -> tuple[bytes, ...]:
        """The delegations of every witness, the one in force last."""
        return (*self.former_witness_notes, self.witness_note)


def create_keyring(
    home: Path, *, name: str, now: int, places: Mapping[str, RootPlace] | None = None
) -> tuple[Keyring, tuple[Path, ...]]:
    """Make all keys and delegations of a new vendor; return those for daily use, and where the roots lie.

    Args:
        home: A directory; made if missing, refused if it already holds keys.
        name: The vendor's name in key names, best a domain such as `license.example.com`.
        now: Unix second from which the delegations hold.
        places: Where `root` and `spare-root` go; in clear beside the others without it.

    Raises:
        AuthorityError: there are keys already.
        Malformed: the name may not stand in a note.
        Unwritable: a directory cannot be written.
    """
    check_vacant(home)
    keys = {role: SigningKey.generate(f"{name}/{role}") for role in (*ROOT_NAMES, *ROLES)}
    for place in (places or {}).values():
        if place.directory is not None and not place.directory.is_dir():
            raise Unwritable(
                f"there is no directory {place.directory} for a root key", hint="insert and mount its medium"
            )
    try:
        for directory, mode in ((home, 0o777), (home / "roots", 0o777), (home / "keys", 0o700)):
            directory.mkdir(mode=mode, parents=directory == home, exist_ok=directory != home / "keys")
        root_paths = tuple(
            save_root(home / "keys" / f"{root}.key", keys[root], (places or {}).get(root, RootPlace()))
            for root in ROOT_NAMES
        )
        for root in ROOT_NAMES:
            vkey = f"{keys[root].verifying.vkey}\n".encode()
            write_atomic(home / "roots" / f"{root}.vkey", vkey, mode=0o644)
        for role in ROLES:
            install(home, keys["root"], role, keys[role], now=now, epoch=1)
    except OSError as error:
        raise Unwritable(
            f"cannot make the authority in {home}: {error.filename or ''}: {error.strerror}"
        ) from error
    return load_keyring(home), root_paths


def check_vacant(home: Path) -> None:
    """Return if `home` holds no keys yet; raises `AuthorityError`."""
    if (home / "keys").exists():
        raise AuthorityError(
            f"{home} already holds the keys of an authority",
            code="AlreadyExists",
            hint="use it as it is, or choose another directory; keys are never overwritten",
        )


def install(home: Path, root: SigningKey, role: str, key: SigningKey, *, now: int, epoch: int) -> Delegation:
    """Put `key` in force as the `role` of `epoch`: for two years from `now`, in the name of `root`.

    Raises:
        OSError: a file cannot be written; what was in force stays so.
    """
    delegation = Delegation(
        role=role,
        vkey=key.verifying.vkey,
        not_before=now,
        not_after=now + ISSUER_DAYS * DAY,
        epoch=epoch,
    )
    save_signing_key(key_path(home, role, epoch), key)
    note = sign_note(render_statement(DELEGATION_KIND, delegation.to_claims()), root)
    write_atomic(home / f"{role}.note", note, mode=0o644)
    return delegation


def key_path(home: Path, role: str, epoch: int) -> Path:
    """Return where the key of a role lies."""
    return home / "keys" / f"{role}-{epoch}.key"


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
            hint=f"make one with `license init {quoted(home)}`, or name another with --home",
        )
    roots = load_roots(home / "roots")
    issuer, issuer_note, delegated = _load_role(home, "issuer", roots)
    witness, witness_note, _ = _load_role(home, "witness", roots)
    return Keyring(
        roots=roots,
        issuer=issuer,
        issuer_note=issuer_note,
        delegation=delegated,
        witness=witness,
        witness_note=witness_note,
        former_witness_notes=tuple(
            read_limited(path, MAX_NOTE_BYTES) for path in sorted((home / "former").glob("witness-*.note"))
        ),
    )


def _load_role(home: Path, role: str, roots: TrustRoots) -> tuple[SigningKey, bytes, Delegation]:
    note, delegation = read_delegation(home, role, roots)
    try:
        key = load_signing_key(key_path(home, role, delegation.epoch))
    except Unreadable:
        # Between our two reads the role may have been handed on, and its former key erased.
        note, delegation = read_delegation(home, role, roots)
        key = load_signing_key(key_path(home, role, delegation.epoch))
    if delegation.key != key.verifying:
        raise AuthorityError(
            f"{home / role}.note does not delegate to the key {key_path(home, role, delegation.epoch)}",
            code="KeyMismatch",
            hint="one of the two is from another authority or backup: restore both from the same one",
        )
    return key, note, delegation


def read_delegation(home: Path, role: str, roots: TrustRoots) -> tuple[bytes, Delegation]:
    """Return a role's delegation in force: the note, and what it says; raises `LicenseError`."""
    note = read_limited(home / f"{role}.note", MAX_NOTE_BYTES)
    return note, open_delegation(note, roots=roots, role=role)[0]
