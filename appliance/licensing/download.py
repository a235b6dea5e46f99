"""The one step with a network: a licence and model packages from the vendor."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from appliance.errors import SettingsError
from appliance.licensing.installation import Installation
from appliance.licensing.request import license_request
from license.client.licenses import download_license
from license.client.packages import download_package
from license.errors import Unwritable
from license.licenses.verify import AuthenticLicense

_MISSING: Final = {
    "Billing": "the endpoint of the resource that pays, such as Billing=https://license.example.com",
    "ApiKey": "one of that resource's two keys",
    "Mounts:License": "the directory to save the licence in",
}


def fetch_license(installation: Installation, lines: Sequence[str] = ()) -> AuthenticLicense:
    """Request a licence from `Billing`, verify it, and return it; nothing is saved.

    The keys of this installation are made if there are none.

    Args:
        installation: The installation.
        lines: Model lines whose keys are asked for besides.

    Raises:
        ApplianceError: A setting is missing, or the keys cannot be used.
        LicenseError: The licence was not given, or does not hold.
    """
    settings = installation.settings
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
    identity = installation.identity(create=True)
    return download_license(
        billing=settings.billing,
        api_key=settings.api_key,
        request_note=license_request(settings, identity, lines),
        roots=installation.roots(),
        product=settings.service.product,
        instance_vkey=identity.vkey,
        now=int(time.time()),
    )


def fetch_package(
    installation: Installation, line: str, directory: Path, progress: Callable[[int, int], None]
) -> Path:
    """Bring the newest release of a model line into a directory, and return the package.

    What arrived before a break is kept, and a later call goes on from there.

    Args:
        installation: Whose settings say whom to ask, and with which key.
        line: The model line.
        directory: Where to; made if it is missing.
        progress: Told how many bytes are here, and of how many.

    Raises:
        LicenseError: The package was not given, is damaged, did not arrive in time, or cannot be saved.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Unwritable(f"cannot make {directory}: {error.strerror}") from error
    _, files = download_package(
        billing=installation.settings.billing,
        api_key=installation.settings.api_key,
        line=line,
        directory=directory,
        roots=installation.roots(),
        now=int(time.time()),
        progress=progress,
    )
    return files.package
