"""Where the usage commands find the logs and the keys: words given, or the settings of the service."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from appliance.errors import SettingsError

if TYPE_CHECKING:
    from appliance.licensing.installation import Installation


class Mounts(NamedTuple):
    """What a usage command works on: the output directory, and further files that were named."""

    output: Path
    paths: tuple[Path, ...]
    installation: "Installation"

    @property
    def state(self) -> Path:
        """The state directory of the service.

        Raises:
            SettingsError: There is none.
        """
        state = self.installation.state
        if not state.is_dir():
            raise SettingsError(
                f"there is no state directory {state}, and the keys of the installation lie in one",
                hint="name the service's: --state DIRECTORY, or Mounts:State=DIRECTORY",
            )
        return state


def find_mounts(words: Sequence[str], *, more: int = 0) -> Mounts:
    """Return the mounts that words name: an output directory, and settings of the service as Key=Value.

    Without a directory it is what `Mounts:Output` names, as for the licence commands: among the words, in the
    environment, or in the settings file of the host.

    Args:
        words: What was typed.
        more: How many further paths must follow the output directory.

    Raises:
        click.UsageError: There are too many or too few paths.
        SettingsError: No output directory is named, or there is none of that name.
    """
    from appliance.licensing.installation import Installation, is_setting

    settings = [word for word in words if is_setting(word)]
    paths = [Path(word) for word in words if not is_setting(word)]
    if not more <= len(paths) <= more + 1:
        raise click.UsageError(
            f"expected {more or 'no'} path, or an output directory before it: {_got(paths)}"
        )
    installation = Installation.read(settings, os.environ, roots_directory=None)
    output = paths[0] if len(paths) > more else installation.settings.output_mount
    if output is None:
        raise SettingsError(
            "no output directory is named, and usage records lie in one",
            hint="name it: OUTPUT or Mounts:Output=OUTPUT; a server has it in /etc/appliance/appliance.env",
        )
    if len(paths) > more and not output.exists():
        raise click.UsageError(f"there is no file or directory {output}")
    if not output.is_dir():
        raise SettingsError(
            f"there is no output directory {output}, or it may not be read",
            hint="check its name; a directory that systemd made for the service is read as root",
        )
    return Mounts(output=output, paths=tuple(paths[len(paths) - more :]), installation=installation)


def _got(paths: Sequence[Path]) -> str:
    return f"got {' '.join(map(str, paths))}" if paths else "got nothing"
