"""The identity of this installation: its two keys, made once and kept in the state directory.

The instance key signs licence requests and opens the ledger; the HPKE key unwraps the model keys that a
licence carries. Licences are bound to both, so losing them means asking for a new licence; copying them is
cloning the machine. `docs/operator.md` says how to keep them.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from appliance.errors import IdentityError
from appliance.host.container import access_hint
from appliance.host.filesystem import give_to_owner
from license.crypto.ed25519 import SigningKey, load_signing_key, save_signing_key
from license.crypto.hpke import HpkeKey
from license.encoding.strict import decode_base64, encode_base64
from license.errors import LicenseError, Malformed, Unreadable
from license.files import is_open_to_others, is_shared, quoted, read_limited, write_atomic

KEY_FILE: Final = "instance.key"
HPKE_FILE: Final = "hpke.key"
STATE_FOLDER: Final = "state"
"""Below a ledger directory: what changes, where no state directory is given."""
KEY_NAME: Final = "offline-appliance/instance"
_MAX_KEY_BYTES: Final = 256
_SECRET: Final = b"offline-appliance/secret-of-the-installation/v1"  # no line end, so it is no signed note


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """This installation.

    Attributes:
        signing: Its Ed25519 key.
        directory: Where its keys lie, mode 0700.
        hpke: Its X25519 key; None only where one was looked for and not made.
        ledgers: Where the ledger directory lies that holds what changes; None: it lies with the keys.
    """

    signing: SigningKey
    directory: Path
    hpke: HpkeKey | None = None
    ledgers: Path | None = None

    @property
    def vkey(self) -> str:
        """Public half, as licences and the ledger name it."""
        return self.signing.verifying.vkey

    @property
    def instance(self) -> str:
        """Twelve hex digits that name this installation in paths and origins."""
        return self.signing.verifying.fingerprint

    @property
    def state(self) -> Path:
        """Where what changes lies: day keys, jobs, the clock's marks, the lease of a connected run."""
        return self.directory if self.ledgers is None else self.ledgers / self.instance / STATE_FOLDER

    def secret(self) -> bytes:
        """64 bytes that only this installation can make, always the same; its own keys derive from them."""
        return self.signing.sign(_SECRET)


def load_identity(directory: Path, *, create: bool = True, ledgers: Path | None = None) -> Identity:
    """Load this installation's keys, making them the first time.

    Args:
        directory: Where they lie; made with mode 0700 if it is missing.
        create: False to refuse where there are no keys yet, for commands that only look.
        ledgers: `Identity.ledgers`.

    Raises:
        IdentityError: The directory or a key cannot be read, written or trusted.
    """
    path = directory / KEY_FILE
    try:
        if create:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            if not create:
                raise IdentityError(
                    f"this installation has no key yet: there is no {path}",
                    hint="name its state directory with Mounts:State=DIR, or make a licence request first",
                )
            save_signing_key(path, SigningKey.generate(KEY_NAME))
            give_to_owner(path)
        hpke = directory / HPKE_FILE
        if create and not hpke.exists():  # the first start, or the first since there are such keys
            write_atomic(hpke, f"{encode_base64(HpkeKey.generate().to_bytes())}\n".encode("ascii"))
            give_to_owner(hpke)
        return Identity(
            signing=load_signing_key(path),
            hpke=_load_hpke(hpke) if hpke.exists() else None,
            directory=directory,
            ledgers=ledgers,
        )
    except LicenseError as error:
        raise IdentityError(
            f"the keys of this installation, in {directory}, cannot be used: {error.message}",
            hint="restore the state directory from its backup; without it a new licence is needed",
        ) from error
    except PermissionError as error:
        raise IdentityError(
            f"the state directory {directory} cannot be used: {error.strerror}",
            hint=_owner_hint(directory),
        ) from error
    except OSError as error:
        raise IdentityError(
            f"the state directory {directory} cannot be used: {error.strerror}",
            hint=f"sudo install -d -m 0700 -o {os.getuid()} {quoted(directory)}, or name another with "
            "Mounts:State",
        ) from error


def _owner_hint(directory: Path) -> str:
    """Say how this user is let in: by the owner of what there is of the way to the keys."""
    if os.geteuid() == 0 or is_shared(directory):
        return "run this as root or as the service's user, or name another directory with Mounts:State"
    existing = directory if directory.is_dir() else directory.parent
    return f"{access_hint(existing, directory=True)}; or name another directory with Mounts:State"


def _load_hpke(path: Path) -> HpkeKey:
    """Read the X25519 key: one line of base64, in a file that is its owner's alone."""
    text = read_limited(path, _MAX_KEY_BYTES)
    if is_open_to_others(path):
        mode = path.stat().st_mode & 0o777
        raise Unreadable(f"the private key {path} is open to other users (mode {mode:04o})")
    try:
        return HpkeKey.from_bytes(decode_base64(text.decode("ascii").strip()))
    except UnicodeDecodeError as error:
        raise Malformed(f"{path} holds no key") from error
