"""The request of this installation, and the one moment on line in which it is answered."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

from appliance.cli.license.text import result_table, run_template
from appliance.cli.progress import Bytes, waiting
from appliance.config.identity import Identity
from appliance.errors import SettingsError
from appliance.licensing.install import put_in_place
from appliance.licensing.installation import Installation, InstalledLicenses
from appliance.version import VERSION
from license.client.licenses import download_license
from license.client.packages import download_package
from license.errors import LicenseError, Unwritable
from license.files import read_limited
from license.licenses.request import LicenseRequest, sign_request
from license.licenses.verify import AuthenticLicense
from license.models.manifest import MANIFEST_KIND
from license.models.package import MANIFEST_SUFFIX
from license.trust.signed_note import MAX_NOTE_BYTES, read_unverified
from license.trust.statement import parse_statement

_MISSING: Final = {
    "Billing": "the endpoint of the resource that pays, such as Billing=https://license.example.com",
    "ApiKey": "one of that resource's two keys",
    "Mounts:License": "the directory to save the licence in",
}


def make_request(site: Installation, identity: Identity, lines: Sequence[str] = ()) -> bytes:
    """Return the signed request note of this installation.

    Args:
        site: The installation; the lines of packages in its model directory are asked for too.
        identity: Its keys.
        lines: Model lines wanted besides.
    """
    wanted = sorted({*lines, *_package_lines(site.settings.model_mount)})
    request = LicenseRequest(
        instance=identity.vkey,
        hpke=None if identity.hpke is None else identity.hpke.public,
        product=site.settings.service.product,
        models=tuple(wanted),
        software=f"offline-appliance {VERSION}",
        created=int(time.time()),
    )
    return sign_request(request, identity.signing)


def fetch_license(site: Installation, lines: Sequence[str] = ()) -> tuple[AuthenticLicense, Path]:
    """Request a licence from `Billing`, verify it, put it in place, and return it with its path.

    Raises:
        ApplianceError: A setting is missing, or the keys cannot be used.
        LicenseError: The licence was not given, does not hold, or cannot be saved.
    """
    settings = site.settings
    values = {
        "Billing": settings.billing,
        "ApiKey": settings.api_key,
        "Mounts:License": settings.license_mount,
    }
    missing = [key for key, value in values.items() if not value]
    if missing:
        raise SettingsError(
            f"DownloadLicense=True also needs {' and '.join(missing)}",
            hint="; ".join(f"{key}: {_MISSING[key]}" for key in missing),
        )
    identity = site.identity(create=True)
    with waiting(f"waiting for {settings.billing}"):
        licensed = download_license(
            billing=settings.billing,
            api_key=settings.api_key,
            request_note=make_request(site, identity, lines),
            roots=site.roots(),
            product=site.settings.service.product,
            instance_vkey=identity.vkey,
            now=int(time.time()),
        )
    licenses = InstalledLicenses(identity=identity, floor=site.floor(identity), found=(licensed,))
    return licensed, put_in_place(site, licenses, licensed)


def fetch_package(site: Installation, line: str, directory: Path) -> Path:
    """Bring the newest release of a model line into a directory, and return the package.

    What arrived before a break is kept, and a later call goes on from there.

    Raises:
        LicenseError: The package was not given, is damaged, did not arrive in time, or cannot be saved.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Unwritable(f"cannot make {directory}: {error.strerror}") from error
    _, files = download_package(
        billing=site.settings.billing,
        api_key=site.settings.api_key,
        line=line,
        directory=directory,
        roots=site.roots(),
        now=int(time.time()),
        progress=Bytes(f"downloading {line}"),
    )
    return files.package


def download_and_tell(site: Installation, lines: Sequence[str] = ()) -> None:
    """Download a licence, then print what it says and the command to run next.

    Where `Mounts:Model` names a directory, the packages of the lines asked for are brought there too.

    Raises:
        ApplianceError, LicenseError: As `fetch_license` and `fetch_package`.
    """
    settings = site.settings
    click.echo(
        f"Requesting a licence for {settings.service.product} from {settings.billing or 'the vendor'} …",
        err=True,
    )
    licensed, note = fetch_license(site, lines)
    packages: list[Path] = []
    directory = site.settings.model_mount
    if directory is not None:
        for line in lines:
            click.echo(f"Downloading the model package of {line} …", err=True)
            packages.append(fetch_package(site, line, directory))
    click.echo(result_table(licensed, note, now=int(time.time()), packages=packages))
    click.echo(run_template(site))


def _package_lines(directory: Path | None) -> set[str]:
    """Return the lines of the packages in a model directory, as their manifests claim."""
    if directory is None or not directory.is_dir():
        return set()
    lines = set()
    for path in directory.glob(f"*{MANIFEST_SUFFIX}"):
        try:
            note = read_unverified(read_limited(path, MAX_NOTE_BYTES))
            lines.add(str(parse_statement(note, MANIFEST_KIND)["line"]))
        except (LicenseError, KeyError):
            continue  # a start will say what is wrong with it; asking does no harm
    return lines
