"""The one directory of a desk: its keys, its licence, its usage log, the site's key, model packages."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from appliance.config.directories import ledger_directory
from appliance.config.identity import Identity, load_identity
from appliance.config.products import SERVICES, Product
from appliance.errors import SettingsError
from license.errors import LicenseError
from license.files import is_open_to_others, quoted, read_limited, write_atomic

API_KEY: Final = "api.key"
_LICENSE: Final = "license"
_STATE: Final = "state"
_OUTPUT: Final = "output"
_PACKAGES: Final = "packages"
_MAX_KEY_BYTES: Final = 1_024
_SERVICE: Final = "service"


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """A desk's directory.

    Attributes:
        path: Where it is; best a volume of its own.
    """

    path: Path

    @property
    def license(self) -> Path:
        """Directory of the site licence."""
        return self.path / _LICENSE

    @property
    def state(self) -> Path:
        """Directory of the desk's keys, and of its second count of the plan."""
        return self.path / _STATE

    @property
    def output(self) -> Path:
        """Where the desk's usage log lies, as below an output mount."""
        return self.path / _OUTPUT

    @property
    def packages(self) -> Path:
        """Directory of the model packages that it hands out."""
        return self.path / _PACKAGES

    def make(self, product: Product) -> Identity:
        """Make what is not there yet, and return the desk's keys.

        Raises:
            SettingsError: The directory is that of a desk for another service, or cannot be written.
            IdentityError: The keys cannot be made.
        """
        try:
            for directory in (self.path, self.license, self.state, self.output):
                directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            named = self.path / _SERVICE
            if named.exists() and self.product() is not product:
                raise SettingsError(
                    f"{self.path} is the directory of a desk for {self.product().name}",
                    hint="each service of a site has a desk of its own: name another directory with --home",
                )
            if not named.exists():
                write_atomic(named, f"{product.name}\n".encode("ascii"))
            if not (self.path / API_KEY).exists():
                write_atomic(self.path / API_KEY, f"{secrets.token_hex(16)}\n".encode("ascii"))
        except OSError as error:
            raise SettingsError(
                f"{self.path} cannot be used: {error.strerror}",
                hint="name a directory of this user with --home",
            ) from error
        return load_identity(self.state)

    def product(self) -> Product:
        """Return what the desk is for.

        Raises:
            SettingsError: The directory is not that of a desk.
        """
        try:
            name = read_limited(self.path / _SERVICE, _MAX_KEY_BYTES).decode("utf-8", "replace").strip()
            return SERVICES[name]
        except (LicenseError, KeyError) as error:
            raise SettingsError(
                f"{self.path} is not the directory of a site's desk",
                hint=f"make one: appliance site request --home {quoted(self.path)} -o request.note",
            ) from error

    def identity(self) -> Identity:
        """Return the desk's keys; raises `IdentityError` where there are none."""
        return load_identity(self.state, create=False)

    def api_key(self) -> str:
        """Return the key that replicas give as `ApiKey`.

        Raises:
            SettingsError: It is missing, or open to other users; or the directory is not that of a desk.
        """
        self.product()
        path = self.path / API_KEY
        try:
            key = read_limited(path, _MAX_KEY_BYTES).decode("ascii").strip()
        except (LicenseError, UnicodeDecodeError) as error:
            raise SettingsError(
                f"{path} holds no key", hint=f"write one line of letters to {path}"
            ) from error
        if is_open_to_others(path) or not key or not key.isprintable() or " " in key:
            raise SettingsError(
                f"{path} is open to other users, or holds no key", hint=f"chmod 600 {quoted(path)}"
            )
        return key

    def ledger(self, identity: Identity) -> Path:
        """Return the directory of the desk's usage log."""
        return ledger_directory(self.output, self.product(), identity.instance)
