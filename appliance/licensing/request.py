"""The request of this installation: what it asks a licence or a lease for, signed by its own key."""

import time
from collections.abc import Sequence
from pathlib import Path

from appliance.config.identity import Identity
from appliance.config.products import Product
from appliance.config.settings import Settings
from appliance.version import VERSION
from license.errors import LicenseError
from license.files import read_limited
from license.licenses.request import LicenseRequest, sign_request
from license.models.manifest import MANIFEST_KIND
from license.models.package_files import MANIFEST_SUFFIX
from license.trust.signed_note import MAX_NOTE_BYTES, read_unverified
from license.trust.statement import parse_statement


def request_note(
    identity: Identity, product: Product, *, created: int, models: Sequence[str] = (), serial: int = 0
) -> bytes:
    """Return a signed request note of this installation.

    Args:
        identity: Its keys.
        product: What it serves.
        created: Unix second of the request.
        models: Model lines whose keys are asked for.
        serial: Highest licence serial that was in force here; 0 where that is not told.
    """
    request = LicenseRequest(
        instance=identity.vkey,
        hpke=None if identity.hpke is None else identity.hpke.public,
        product=product.product,
        models=tuple(models),
        software=f"offline-appliance {VERSION}",
        created=created,
        serial=serial,
    )
    return sign_request(request, identity.signing)


def license_request(settings: Settings, identity: Identity, lines: Sequence[str] = ()) -> bytes:
    """Return the signed note that asks for a licence now.

    Args:
        settings: The lines of packages in the model directory they name are asked for too.
        identity: Keys of this installation.
        lines: Model lines wanted besides.
    """
    models = sorted({*lines, *_package_lines(settings.model_mount)})
    return request_note(identity, settings.service, created=int(time.time()), models=models)


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
