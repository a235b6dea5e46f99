"""Speech models from the vendor's catalogue, as the start parameters of the containers ask for them.

    BaseModelLocale=en-US [Punct …]    list the base models, and the display models of these types, and end
    ModelId=…                          download a base model where none is yet, and go on
    PunctId=…, RescoreId=…             download these display models and end
    DisplayLocale=en-US Punct …        download the newest display models of these types and end

The first of these that is given counts; ids count together. Models come from a resource of their own, see
`license.authority.book.resource.APART`.
"""

import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

from appliance.cli.models.speech_choice import BASE, Wanted, place_of
from appliance.errors import ModelError, SettingsError
from appliance.licensing.installation import Installation
from appliance.models.packages import find_packages
from appliance.speech.model.folder import DISPLAY_TASKS, TASKS
from appliance.speech.model.kind import same_language
from license.client.packages import Offer, download_package, list_models
from license.console.progress import Bytes
from license.errors import LicenseError, ModelDownloadTimedOut, Unwritable
from license.files import read_limited
from license.models.manifest import MANIFEST_KIND
from license.trust.signed_note import MAX_NOTE_BYTES, read_unverified
from license.trust.statement import parse_statement

DEADLINE: Final = "[ERROR] Failed to download: context deadline exceeded"
"""The line that operators of the containers look for."""
_CLOSING: Final = (
    "Please run this tool again and assign --modelId '<one above base model id>'. "
    "If no model id listed above, it means currently there is no available base model for {locale}"
)


def available(installation: Installation, wanted: Wanted) -> list[tuple[str, Offer]]:
    """Return the models of a locale with their types, as `print_models` prints them."""
    offers = _offers(installation)
    return [(kind, offer) for kind in (BASE, *wanted.types) for offer in _of(offers, kind, wanted.query)]


def print_models(installation: Installation, wanted: Wanted) -> None:
    """Print the models of a locale in the lines that the container prints."""
    locale = wanted.query.lower()
    models = available(installation, wanted)
    click.echo(f"Checking available base model for {locale}")
    _print_line("Info", f"Searching available base models for {locale}")
    for kind, offer in models:
        created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(offer.issued))
        what = "[Base model]" if kind == BASE else f"[{kind} model]"
        _print_line("Info", f"{what} Locale: {locale}, CreatedDate: {created}, Id: {offer.id}")
    _print_line("Fatal", _CLOSING.format(locale=locale))


def download_models(installation: Installation, wanted: Wanted) -> list[Path]:
    """Download what is wanted into the directory of models and return the packages.

    Raises:
        SettingsError: A setting that this needs is missing.
        ModelError: The catalogue has no such model for this resource, or one of another type.
        LicenseError: As `license.client.packages.download_package`.
    """
    place = place_of(installation.settings)
    offers = _offers(installation)
    chosen = [find(offers, kind, name) for kind, name in wanted.ids.items()]
    if wanted.newest:
        chosen = newest(offers, wanted)
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Unwritable(f"cannot make {place}: {error.strerror}") from error
    return [_fetch(installation, offer, place) for offer in chosen]


def find(offers: Sequence[Offer], kind: str, name: str) -> Offer:
    """Return the model of an id, of `LINE/RELEASE`, or the newest of `LINE`.

    Raises:
        ModelError: There is none, or it is of another type.
    """
    line, _, release = name.rpartition("/") if name.count("/") > 1 else (name, "", "")
    matching = [
        offer
        for offer in offers
        if offer.id == name.lower() or (offer.line == line and release in ("", offer.release))
    ]
    setting = "ModelId" if kind == BASE else f"{kind}Id"
    if not matching:
        raise ModelError(
            f"the catalogue has no model {name[:80]} for this resource",
            hint=f"BaseModelLocale=en-US lists them; {setting} takes such an id, LINE or LINE/RELEASE",
        )
    offer = max(matching, key=_age)
    if offer.task not in _tasks(kind):
        raise ModelError(
            f"{name[:80]} is a model for {offer.task}, which {setting} does not take",
            hint=f"{setting} takes models for {' or '.join(_tasks(kind))}",
        )
    return offer


def newest(offers: Sequence[Offer], wanted: Wanted) -> list[Offer]:
    """Return the newest display model of each chosen type; types that a locale has none of are told.

    Raises:
        SettingsError: No type was chosen.
        ModelError: The catalogue has none at all.
    """
    if not wanted.types:
        raise SettingsError(
            "DisplayLocale needs the types of display models that are wanted",
            hint="add FullDisplay, or some of Punct, Rescore, Resegment and Wfstitn",
        )
    chosen = []
    for kind in wanted.types:
        available = _of(offers, kind, wanted.newest)
        if available:
            chosen.append(available[-1])
        else:
            click.echo(f"there is no {kind} model for {wanted.newest}", err=True)
    if not chosen:
        raise ModelError(
            f"the catalogue has no {' or '.join(wanted.types)} model for {wanted.newest}",
            hint="display texts have the built-in forms without one",
        )
    return chosen


def has_base(place: Path) -> bool:
    """Tell whether a directory holds a model to serve: a plain one, or a package of one."""
    if not find_packages(place):
        return place.is_dir() and any(place.rglob("*.onnx"))
    return any(_claimed_task(files.manifest) in TASKS for files in find_packages(place))


def _claimed_task(path: Path) -> str:
    try:
        note = read_unverified(read_limited(path, MAX_NOTE_BYTES))
        return str(parse_statement(note, MANIFEST_KIND)["task"])
    except (LicenseError, KeyError):
        return TASKS[0]  # a start will say what is wrong with it


def _fetch(installation: Installation, offer: Offer, place: Path) -> Path:
    settings = installation.settings
    click.echo(f"Downloading {offer.line} {offer.release} ({offer.id}) …", err=True)
    try:
        _, files = download_package(
            billing=settings.billing,
            api_key=settings.api_key,
            line=offer.line,
            release=offer.release,
            directory=place,
            roots=installation.roots(),
            now=int(time.time()),
            progress=Bytes(f"downloading {offer.line}"),
            limit_s=settings.download_seconds,
        )
    except ModelDownloadTimedOut:
        click.echo(DEADLINE, err=True)
        raise
    click.echo(f"downloaded {files.package}", err=True)
    return files.package


def _offers(installation: Installation) -> tuple[Offer, ...]:
    settings = installation.settings
    missing = [
        name for name, value in (("Billing", settings.billing), ("ApiKey", settings.api_key)) if not value
    ]
    if missing:
        raise SettingsError(
            f"the catalogue of models needs {' and '.join(missing)}",
            hint="endpoint and key of the S0 resource that models come from; licences have a DC0 resource",
        )
    return list_models(billing=settings.billing, api_key=settings.api_key, now=int(time.time()))


def _tasks(kind: str) -> tuple[str, ...]:
    return TASKS if kind == BASE else (DISPLAY_TASKS[kind],)


def _of(offers: Sequence[Offer], kind: str, locale: str) -> list[Offer]:
    """The models of a type and locale, the newest last."""
    tasks = _tasks(kind)
    matching = (
        offer
        for offer in offers
        if offer.task in tasks and offer.language and same_language(offer.language, locale)
    )
    return sorted(matching, key=_age)


def _age(offer: Offer) -> tuple[int, list[int]]:
    return offer.issued, [int(part) for part in re.findall(r"[0-9]+", offer.release)]


def _print_line(level: str, text: str) -> None:
    click.echo(f"{time.strftime('%Y/%m/%d %H:%M:%S', time.gmtime())} [{level}] {text}")
