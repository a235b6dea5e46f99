"""What a vendor and the desk of a site say of the model packages that they hand out."""

from collections.abc import Iterable
from typing import Any

from starlette.concurrency import run_in_threadpool

from license.encoding.strict import format_time
from license.files import read_limited
from license.models.manifest import Manifest
from license.models.package import PackageFiles
from license.trust.signed_note import MAX_NOTE_BYTES


def listing(manifests: Iterable[Manifest]) -> dict[str, Any]:
    """Return the body of `GET /v1/models`, in the order of the manifests."""
    return {
        "models": [
            {
                "id": manifest.id,
                "line": manifest.line,
                "release": manifest.release,
                "name": manifest.name,
                "task": manifest.task,
                "language": manifest.language,
                "issued": format_time(manifest.issued),
                "bytes": manifest.bytes,
                "sha256": manifest.sha256,
            }
            for manifest in manifests
        ]
    }


async def notes(files: PackageFiles) -> dict[str, str]:
    """Return a package's manifest and the issuer note that proves it.

    Raises:
        LicenseError: One of them cannot be read, or is too long.
    """
    manifest = await run_in_threadpool(read_limited, files.manifest, MAX_NOTE_BYTES)
    issuer = await run_in_threadpool(read_limited, files.issuer, MAX_NOTE_BYTES)
    return {"manifest": manifest.decode(), "issuer": issuer.decode()}
