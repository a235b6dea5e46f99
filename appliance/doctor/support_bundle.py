"""The support archive: what helps somebody who cannot reach this machine, and nothing that is theirs alone.

Everything in it is chosen, nothing is copied: no file of the machine goes in as it is. Left out are keys,
licence notes, settings that hold secrets, messages of the log with their arguments, usage records beyond
their number, host names and addresses. The rest is JSON that people can read before they send it.
"""

import dataclasses
import io
import json
import platform
import re
import sys
import tarfile
from collections import Counter
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from appliance.config.secrets import shown_address, without_userinfo
from appliance.config.settings import Settings
from appliance.doctor.examine import Examination
from appliance.doctor.report import to_json, to_text
from appliance.observability.logging import DISK_DIRECTORY, DISK_FILE
from license.encoding.strict import format_time
from license.errors import LicenseError

SECRET_SETTINGS: Final = frozenset(
    {"ApiKey", "Jobs:Database", "HTTP_PROXY", "HTTPS_PROXY", "HTTP_PROXY_CREDS"}
)
"""Settings whose values never leave the machine; a database URL may hold a password."""

_EVENTS: Final = 2000
_LOG_FILES: Final = f"{DISK_FILE}*"
_ANSI: Final = re.compile(r"\x1b\[[0-9;]*m")


def write_bundle(path: Path, settings: Settings, examination: Examination, *, now: int) -> None:
    """Write the archive with mode 0600; arguments as of `bundle_bytes`.

    Args:
        path: The file to write; it must not exist.
        settings: Those of the service that was examined.
        examination: What was found.
        now: Unix second.

    Raises:
        OSError: It exists, or cannot be written.
    """
    data = bundle_bytes(settings, examination, now=now)
    with path.open("xb") as raw:
        path.chmod(0o600)
        raw.write(data)


def bundle_bytes(settings: Settings, examination: Examination, *, now: int) -> bytes:
    """Return the archive, a gzipped tar.

    Args:
        settings: Those of the service that was examined.
        examination: What was found.
        now: Unix second.
    """
    text = _ANSI.sub("", to_text(examination.findings))
    parts: dict[str, Any] = {
        "doctor.json": to_json(examination.findings),
        "settings.json": shown_settings(settings),
        "license.json": _license(examination),
        "ledger.json": dataclasses.asdict(examination.ledger),
        "unit.json": dict(examination.unit.properties),
        "versions.json": _versions(),
        "log.json": _log(settings),
        "about.json": {"made": format_time(now), "by": "appliance doctor"},
    }
    files = {"doctor.txt": text + "\n"}
    files |= {name: json.dumps(part, indent=2, default=str) + "\n" for name, part in parts.items()}
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:gz") as archive:
        for name, content in sorted(files.items()):
            data = without_userinfo(content).encode("utf-8", "replace")
            entry = tarfile.TarInfo(f"appliance-doctor/{name}")
            entry.size, entry.mtime, entry.mode = len(data), now, 0o600
            archive.addfile(entry, io.BytesIO(data))
    return raw.getvalue()


def shown_settings(settings: Settings) -> dict[str, str]:
    """Return every setting that differs from its default; of secrets, only that they are set."""
    shown = {}
    for entry in dataclasses.fields(Settings):
        key = entry.metadata.get("key")
        value = getattr(settings, entry.name)
        if key is not None and value != entry.default:
            shown[key] = "(set)" if key in SECRET_SETTINGS else shown_address(str(value))
    return shown


def _license(examination: Examination) -> dict[str, Any]:
    licensed = examination.licensed
    if isinstance(licensed, LicenseError):
        return {"code": licensed.code, "message": licensed.message}
    license = licensed.license
    return {
        "id": license.id,
        "serial": license.serial,
        "product": license.product,
        "tier": license.plan.tier,
        "issued": format_time(license.issued),
        "notBefore": format_time(license.not_before),
        "expires": format_time(license.expires),
        "terminates": format_time(license.terminates),
        "models": [model.train for model in license.models],
        "sha256": licensed.sha256,
        "root": licensed.root.vkey,
    }


def _versions() -> dict[str, Any]:
    packages = {dist.metadata["Name"]: dist.version for dist in metadata.distributions()}
    release = {}
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        release = {}
    return {
        "python": sys.version,
        "system": platform.system(),
        "kernel": platform.release(),
        "machine": platform.machine(),
        "os": release.get("PRETTY_NAME", ""),
        "libc": " ".join(platform.libc_ver()),
        "packages": dict(sorted(packages.items())),
    }


def _log(settings: Settings) -> dict[str, Any]:
    """Return what happened, from the JSON log on disk: the program's own words, none of their arguments."""
    if settings.output_mount is None:
        return {"events": [], "count": {}}
    events = [
        {key: line[key] for key in ("timestamp", "level", "category", "event") if key in line}
        for file in sorted(
            (settings.output_mount / settings.service.name).glob(f"*/{DISK_DIRECTORY}/{_LOG_FILES}")
        )
        for line in _lines(file)
        if str(line.get("category")).startswith(("appliance", "license"))  # whose events are never filled in
    ]
    events.sort(key=lambda event: str(event.get("timestamp")))
    count = Counter(f"{event.get('level')} {event.get('event')}" for event in events)
    return {"events": events[-_EVENTS:], "count": dict(count.most_common())}


def _lines(file: Path) -> Iterator[Mapping[str, Any]]:
    try:
        with file.open(encoding="utf-8", errors="replace") as opened:
            for line in opened:
                try:
                    event = json.loads(line)
                except ValueError:
                    continue
                if isinstance(event, dict):
                    yield event
    except OSError:
        return
