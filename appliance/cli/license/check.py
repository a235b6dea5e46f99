"""Whether a start would be accepted now: does the licence serve, does a model open, what stops."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from appliance.cli.license.text import term_words
from appliance.config.products import SPEECH_TO_TEXT
from appliance.errors import ModelError
from appliance.licensing.installation import Installation, InstalledLicenses
from appliance.models.packages import ModelKeys, find_packages, unpack
from appliance.ner.model_folder import ModelFolder
from appliance.ner.model_kind import NER
from appliance.speech.display.loading import display_kind
from appliance.speech.model.folder import DISPLAY_TASKS, SpeechFolder
from appliance.speech.model.kind import SPEECH
from license.console.progress import waiting
from license.encoding.fields import LINE
from license.encoding.strict import format_time
from license.licenses.validity import check_dates, what_stops
from license.models.manifest import Manifest
from license.models.package import PackageFiles
from license.text import Row, license_json, license_rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """A model that opens here.

    Attributes:
        what: The path or line that was asked about.
        line: Its model line; empty for a plain folder that names none.
        release: Its release; empty for a plain folder that names none.
        how: Why it opens, in words.
    """

    what: str
    line: str
    release: str
    how: str


def show_rows(installation: Installation, licenses: InstalledLicenses) -> list[Row]:
    """Return the licence in force, what will follow it, and what was refused."""
    current = licenses.current
    license = current.license
    now = licenses.time_under(license)
    rows = license_rows(current, installation.roots(), now)
    rows += [("what stops", what_stops(license)), ("judged at", f"{format_time(now)} (effective time)")]
    rows += [("units count", term_words(license.plan))] if license.plan.meters else []
    for other in licenses.usable:
        if other.license.serial > license.serial:
            begins = format_time(other.license.not_before)
            rows.append(("next", f"{other.license.id} (serial {other.license.serial}) from {begins}"))
    rows += [("refused", f"{path}: {reason.message}; {reason.hint}") for path, reason in licenses.refused]
    return rows


def show_json(licenses: InstalledLicenses) -> dict[str, Any]:
    """Return the same for programs."""
    current = licenses.current
    now = licenses.time_under(current.license)
    return {
        **license_json(current, now),
        "effective_time": format_time(now),
        "next": [
            other.license.to_claims()
            for other in licenses.usable
            if other.license.serial > current.license.serial
        ],
        "refused": [
            {"file": str(path), "code": reason.code, "message": reason.message, "hint": reason.hint}
            for path, reason in licenses.refused
        ],
    }


def require_serving(licenses: InstalledLicenses) -> None:
    """Return if the licence in force answers requests now; raises `NotYetValid` or `Expired`."""
    license = licenses.current.license
    check_dates(license, licenses.time_under(license))


def check_model(installation: Installation, licenses: InstalledLicenses, what: str) -> list[Fit]:
    """Open every model that is asked about, in memory, and say how.

    Args:
        installation: The installation.
        licenses: Its licences.
        what: A model folder, a package, a directory of packages, or the name of a model line.

    Raises:
        LicenseError: The licence does not open it; the message names line and licence.
        ModelError: It is not a model that can be served here.
    """
    keys = ModelKeys(licensed=licenses.current, hpke=licenses.identity.hpke, roots=installation.roots())
    path = Path(what)
    if not path.exists():
        if not re.fullmatch(LINE, what):
            raise ModelError(
                f"{what} is neither a file or folder here nor a model line",
                hint="give a package, a model folder, or a line such as ner-en/3",
            )
        keys.identity(what)
        return [Fit(what=what, line=what, release="", how="the licence holds the key of this line")]
    packages = find_packages(path)
    if not packages:
        speaks = installation.settings.service is SPEECH_TO_TEXT
        folder: ModelFolder | SpeechFolder = SpeechFolder.open(path) if speaks else ModelFolder.open(path)
        how = "a plain folder needs no key; licence and metering are the same"
        return [Fit(what=what, line=folder.line, release=folder.release, how=how)]
    fits = []
    for files in packages:
        manifest = keys.manifest(files, (*NER.tasks, *SPEECH.tasks, *DISPLAY_TASKS.values()))
        with waiting(f"opening {files.package.name}"):
            _open(files, manifest, keys)
        how = f"opened in memory with licence {licenses.current.license.id}"
        fits.append(Fit(what=str(files.package), line=manifest.line, release=manifest.release, how=how))
    return fits


def _open(files: PackageFiles, manifest: Manifest, keys: ModelKeys) -> None:
    if manifest.task in SPEECH.tasks:
        unpack(files, manifest, keys, SPEECH)
    elif manifest.task in NER.tasks:
        unpack(files, manifest, keys, NER)
    else:
        kind = next(kind for kind, task in DISPLAY_TASKS.items() if task == manifest.task)
        unpack(files, manifest, keys, display_kind(kind))
