"""Who this installation is: its signing key, made once and kept in the state directory.

The instance key signs licence requests and opens the ledger. Licences are bound to it, so losing it means
asking for a new licence; copying it is cloning the machine. `docs/operator.md` says how to keep it.
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from appliance.errors import IdentityError
from license.errors import LicenseError
from license.keys import SigningKey, load_signing_key, save_signing_key

KEY_FILE: Final = "instance.key"
KEY_NAME: Final = "offline-appliance/instance"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """This installation.

    Attributes:
        signing: Its Ed25519 key.
        directory: Where its keys lie, mode 0700.
    """

    signing: SigningKey
    directory: Path

    @property
    def vkey(self) -> str:
        """Public half, as licences and the ledger name it."""
        return self.signing.verifying.vkey

    @property
    def instance(self) -> str:
        """Twelve hex digits that name this installation in paths and origins."""
        return hashlib.sha256(self.signing.verifying.public).hexdigest()[:12]


def load_identity(directory: Path) -> Identity:
    """Load this installation's keys, making them the first time.

    Args:
        directory: The state directory; made with mode 0700 if it is missing.

    Raises:
        IdentityError: The directory or the key cannot be read, written or trusted.
    """
    path = directory / KEY_FILE
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            save_signing_key(path, SigningKey.generate(KEY_NAME))
        return Identity(signing=load_signing_key(path), directory=directory)
    except LicenseError as error:
        raise IdentityError(
            f"the key of this installation, {path}, cannot be used: {error.message}",
            hint="restore the state directory from its backup; without it a new licence is needed",
        ) from error
    except OSError as error:
        raise IdentityError(
            f"the state directory {directory} cannot be used: {error.strerror}",
            hint=f"sudo install -d -m 0700 -o {os.getuid()} {directory}, or name another with Mounts:State",
        ) from error
