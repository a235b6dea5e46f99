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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import click

from appliance.config.products import SPEECH_TO_TEXT
from appliance.config.settings import Settings
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

CONTAINER_PLACE: Final = Path("/usr/local/models")
"""Where the container keeps its models: taken where it exists and `Mounts:Model` is not given."""
BASE: Final = "Base"
DEADLINE: Final = "[ERROR] Failed to download: context deadline exceeded"
"""The line that operators of the containers look for."""
_CLOSING: Final = (
    "Please run this tool again and assign --modelId '<one above base model id>'. "
    "If no model id listed above, it means currently there is no available base model for {locale}"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the settings ask of the catalogue.

    Attributes:
        query: Locale whose models are to be listed.
        ids: Models by type, `Base` or a type of display models.
        newest: Locale whose newest display models are wanted.
        types: Types of display models that were chosen.
    """

    query: str = ""
    ids: Mapping[str, str]
    newest: str = ""
    types: tuple[str, ...] = ()

    @classmethod
    def of(cls, settings: Settings) -> "Wanted":
        """Read what was asked, by the order of priority."""
        named = {
            BASE: settings.model_id,
            "Punct": settings.punct_id,
            "Rescore": settings.rescore_id,
            "Resegment": settings.resegment_id,
            "Wfstitn": settings.wfstitn_id,
        }
        ids = {kind: value for kind, value in named.items() if value}
        query = settings.base_model_locale
        return cls(
            query=query,
            ids={} if query else ids,
            newest="" if query or ids else settings.display_locale,
            types=settings.display_types,
        )

    def __bool__(self) -> bool:
        return bool(self.query or self.ids or self.newest)


def at_place(settings: Settings) -> Settings:
    """Return the settings with the container's directory of models, where that one exists and is meant."""
    if settings.service is SPEECH_TO_TEXT and settings.model_mount is None and CONTAINER_PLACE.is_dir():
        wanted = bool(Wanted.of(settings))
        if wanted or any(CONTAINER_PLACE.iterdir()):
            return replace(settings, model_mount=CONTAINER_PLACE)
    return settings


def before_serving(installation: Installation) -> bool:
    """Do what the settings ask of the catalogue, and say whether the run ends with that.

    Raises:
        ApplianceError, LicenseError: As `download_models`; or it is asked of another service.
    """
    wanted = Wanted.of(installation.settings)
    if not wanted:
        return False
    if installation.settings.service is not SPEECH_TO_TEXT:
        raise SettingsError(
            "BaseModelLocale, ModelId, DisplayLocale and the like belong to the speech service",
            hint="add Service=speechtotext",
        )
    if wanted.query:
        print_models(installation, wanted)
        return True
    only_base = set(wanted.ids) == {BASE}
    settings = installation.settings
    if only_base and has_base(_place(settings)):
        click.echo(
            f"ModelId={settings.model_id} is ignored: {settings.model_mount} holds a model already",
            err=True,
        )
        return False
    download_models(installation, wanted)
    return not only_base


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
    place = _place(installation.settings)
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


def _place(settings: Settings) -> Path:
    if settings.model_mount is None:
        raise SettingsError(
            "Mounts:Model is missing: it names the directory that models are downloaded to.",
            hint=f"add Mounts:Model=/var/lib/appliance/models, or make {CONTAINER_PLACE}",
        )
    return settings.model_mount


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
