"""The installation a command is about: its settings, directories, keys and trust roots.

The commands take the same `Key=Value` words as the service, and the same environment. Where the service runs
under systemd its settings file is read first, so that on such a host nothing needs to be typed twice.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from appliance.config.directories import ledger_directory
from appliance.config.env_file import ENVIRONMENT_FILE, read_env_file
from appliance.config.identity import Identity, load_identity
from appliance.config.image_defaults import read_settings
from appliance.config.setting_table import describe
from appliance.config.settings import Settings
from appliance.config.state_place import StatePlace, find_state
from appliance.errors import SettingsError
from appliance.host.container import access_hint
from appliance.host.effective_clock import Reading, system_sources
from appliance.host.main_process import words_beside
from appliance.ledger.read.high_water import HighWater, recorded_high_water
from appliance.licensing.effective_time import time_at_start
from appliance.licensing.manager import choose
from license.console.suggestions import did_you_mean
from license.errors import LicenseError
from license.licenses.directory import load_all
from license.licenses.license import License
from license.licenses.validity import State, state_at
from license.licenses.verify import AuthenticLicense
from license.trust.roots import TrustRoots, installed_roots, load_roots

SYSTEM_STATE: Final = Path("/var/lib/private/appliance")
"""Where systemd keeps the state directory of `appliance.service`, whose user is dynamic."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """One installation.

    Attributes:
        settings: Its settings.
        state: Directory of its keys, and of its state where `ledgers` is None.
        roots_directory: Trust roots that were named on purpose; None for the installed ones.
        hosted: Whether the unit's settings file names the licence directory: systemd runs the service.
        ledgers: `StatePlace.ledgers`.
        site: Whether it is the desk of a site, whose licence is that of the site.
    """

    settings: Settings
    state: Path
    roots_directory: Path | None
    hosted: bool = False
    ledgers: Path | None = None
    site: bool = False

    @classmethod
    def read(
        cls,
        words: Sequence[str],
        environ: Mapping[str, str],
        *,
        roots_directory: Path | None,
        system: Path = ENVIRONMENT_FILE,
    ) -> "Installation":
        """Read the settings: the settings file of the host, then the environment, then the words.

        Raises:
            SettingsError: A word or a value cannot be read.
        """
        host = read_env_file(system)
        settings = read_settings([*words_beside(environ), *words], {**host, **environ})
        if settings.unknown:
            unknown = settings.unknown[0]
            raise SettingsError(
                f"nothing reads the setting {unknown}",
                hint=likely_setting(unknown) or "`appliance serve --help` lists the settings",
            )
        unit = Settings.read([], host)
        named = unit.license_mount
        hosted = named == settings.license_mount if named is not None else unit.connected
        if hosted and settings.state_mount is None and "STATE_DIRECTORY" not in environ:
            place = StatePlace(keys=SYSTEM_STATE)
        else:
            place = find_state(settings, environ)
        return cls(
            settings=settings,
            state=place.keys,
            ledgers=place.ledgers,
            roots_directory=roots_directory,
            hosted=hosted,
        )

    def roots(self) -> TrustRoots:
        """Return the trust roots; raises `UntrustedRoots` without any."""
        return installed_roots() if self.roots_directory is None else load_roots(self.roots_directory)

    def identity(self, *, create: bool = False) -> Identity:
        """Return the keys of this installation; raises `IdentityError` where there are none."""
        return load_identity(self.state, create=create, ledgers=self.ledgers)

    def license_directory(self) -> Path:
        """Return what `Mounts:License` names.

        Raises:
            SettingsError: It names nothing.
        """
        if self.settings.license_mount is None:
            raise SettingsError(
                "Mounts:License is missing: it names the directory that holds the licence.",
                hint="add Mounts:License=/etc/appliance/license",
            )
        return self.settings.license_mount

    def ledger_directory(self, instance: str) -> Path | None:
        """Return where the usage logs of an instance lie; None where `Mounts:Output` is not given."""
        output = self.settings.output_mount
        return None if output is None else ledger_directory(output, self.settings.service, instance)

    def high_water(self) -> HighWater:
        """Return what the usage ledger proves; nothing where `Mounts:Output` is not given.

        Raises:
            IdentityError: The installation has no keys.
        """
        directory = self.ledger_directory(self.identity().instance)
        return HighWater() if directory is None else recorded_high_water(directory)

    def time_under(self, license: License) -> int:
        """Return the effective time that a licence is judged by at a start; as `high_water` raises."""
        return time_at_start(license, self.high_water())

    def has_begun(self, licensed: AuthenticLicense) -> bool:
        """Whether the first day of a licence has come; as `high_water` raises."""
        state = state_at(licensed.license, self.time_under(licensed.license))
        return state is not State.NOT_YET_VALID

    def in_place(self) -> tuple[AuthenticLicense, ...]:
        """Return the licences that are there; none if the directory is empty or holds only bad ones.

        Raises:
            ApplianceError: The installation has no keys or names no directory.
        """
        try:
            return tuple(
                load_all(
                    self.license_directory(),
                    roots=self.roots(),
                    product=self.settings.service.product,
                    instance_vkey=self.identity().vkey,
                    site=self.site,
                    hint=access_hint,
                )
            )
        except LicenseError:
            return ()

    def licenses(self) -> "InstalledLicenses":
        """Return the licences of this installation as a start would see them.

        Raises:
            ApplianceError, LicenseError: There is none that may be used here.
        """
        directory = self.license_directory()
        identity = self.identity()
        high_water = self.high_water()
        refused: list[tuple[Path, LicenseError]] = []
        usable = load_all(
            directory,
            roots=self.roots(),
            product=self.settings.service.product,
            instance_vkey=identity.vkey,
            min_serial=high_water.serial,
            min_epoch=high_water.epoch,
            on_refusal=lambda path, reason: refused.append((path, reason)),
            hint=access_hint,
        )
        return InstalledLicenses(
            identity=identity, high_water=high_water, usable=tuple(usable), refused=tuple(refused)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledLicenses:
    """What the licence directory holds for this installation.

    Attributes:
        identity: Its keys.
        high_water: What its ledger proves.
        usable: Every licence that may be used here, the highest serial first.
        refused: The files that may not, and why.
    """

    identity: Identity
    high_water: HighWater
    usable: tuple[AuthenticLicense, ...]
    refused: tuple[tuple[Path, LicenseError], ...] = ()

    def time_under(self, license: License) -> int:
        """Return the effective time that a licence is judged by at a start."""
        return time_at_start(license, self.high_water)

    @property
    def current(self) -> AuthenticLicense:
        """The licence that a start would put in force."""
        return choose(self.usable, self.time_under)


def likely_setting(key: str) -> str:
    """Ask whether another setting was meant; empty where none is spelt like it."""
    return did_you_mean(key, (known for known, _, _ in describe()))


def is_setting(word: str) -> bool:
    """Tell a `Key=Value` word from a file name."""
    key, equals, _ = word.partition("=")
    return bool(equals) and key.lower() in {known.lower() for known, _, _ in describe()}


def reading() -> Reading:
    """Return what this machine's clocks say."""
    return system_sources().read()


def program() -> list[str]:
    """Return how this program is called, so that what is printed works when it is pasted."""
    installed = Path(sys.executable).parent / "appliance"
    if not installed.exists():
        return [sys.executable, "-m", "appliance"]
    on_path = any(Path(part) == installed.parent for part in os.environ.get("PATH", "").split(os.pathsep))
    return ["appliance" if on_path else str(installed)]
