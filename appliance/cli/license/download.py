"""`appliance license download`, and the start with `DownloadLicense=True`: download, install, tell."""

import time
from collections.abc import Sequence
from pathlib import Path

import click

from appliance.cli.license.text import result_json, result_table, run_template
from appliance.cli.options import print_json
from appliance.config.secrets import shown_address
from appliance.errors import SettingsError
from appliance.host.container import access_hint
from appliance.licensing.download import fetch_license, fetch_package
from appliance.licensing.install import install_license
from appliance.licensing.installation import Installation
from appliance.licensing.lasting_output import require_lasting_license
from license.console.progress import Bytes, waiting
from license.licenses.directory import require_savable


def download_and_tell(
    installation: Installation, lines: Sequence[str] = (), *, as_json: bool = False
) -> None:
    """Download a licence, put it in place, then print what it says and the command to run next.

    Where `Mounts:Model` names a directory, the packages of the lines asked for are brought there too.

    Raises:
        ApplianceError: A setting is missing, or the keys cannot be used.
        LicenseError: The licence or a package was not given, does not hold, or cannot be saved.
    """
    settings = installation.settings
    require_lasting_license(settings, installation.license_directory())
    require_savable(installation.license_directory(), hint=access_hint)
    billing = shown_address(settings.billing)
    click.echo(
        f"Requesting a licence for {settings.service.product} from {billing or 'the vendor'} …",
        err=True,
    )
    with waiting(f"waiting for {billing}"):
        licensed = fetch_license(installation, lines)
    note = install_license(
        installation.license_directory(),
        licensed,
        begun=installation.has_begun(licensed),
        present=installation.in_place(),
    )
    packages = [] if settings.model_mount is None else _bring(installation, lines, settings.model_mount)
    now = int(time.time())
    if as_json:
        print_json(result_json(installation, licensed, note, now=now, packages=packages))
        return
    click.echo(result_table(licensed, note, now=now, packages=packages))
    click.echo(run_template(installation))


def bring_packages(installation: Installation, lines: Sequence[str], *, as_json: bool = False) -> None:
    """Bring the packages of model lines into `Mounts:Model` and no licence, then print where they are.

    Raises:
        ApplianceError: A setting is missing, or no line is named.
        LicenseError: A package was not given, does not hold, or cannot be saved.
    """
    settings, directory = installation.settings, installation.settings.model_mount
    needed = {
        "Billing": settings.billing,
        "ApiKey": settings.api_key,
        "Mounts:Model": directory,
        "--model": lines,
    }
    missing = [name for name, value in needed.items() if not value]
    if missing or directory is None:
        raise SettingsError(
            f"--models-only also needs {' and '.join(missing)}",
            hint="appliance license download --models-only --model ner-en/3 Eula=accept "
            "Billing=http://desk:5080 ApiKey=KEY Mounts:Model=/srv/models",
        )
    packages = _bring(installation, lines, directory)
    if as_json:
        print_json({"packages": [str(package) for package in packages]})
        return
    for package in packages:
        click.echo(str(package))


def _bring(installation: Installation, lines: Sequence[str], directory: Path) -> list[Path]:
    packages = []
    for line in lines:
        click.echo(f"Downloading the model package of {line} …", err=True)
        packages.append(fetch_package(installation, line, directory, Bytes(f"downloading {line}")))
    return packages
