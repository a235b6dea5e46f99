"""The text models of a service, loaded one by one; one that cannot be loaded leaves the others served."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from appliance.config.setting_parsers import is_name
from appliance.errors import ModelError
from appliance.models.locations import Place
from appliance.pipeline.deployments import Deployment, FailedDeployment
from appliance.pipeline.resident_models import ServedModel
from license.errors import LicenseError

_log = logging.getLogger("appliance.models")


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What could be loaded and what could not."""

    deployments: tuple[Deployment, ...]
    failed: tuple[FailedDeployment, ...]
    engines: tuple[ServedModel, ...]


def load_models(
    places: Sequence[Place],
    load: Callable[[Path], ServedModel],
    *,
    is_news: Callable[[Path], bool] = lambda _: True,
) -> Loaded:
    """Load models one after the other; blocks.

    Args:
        places: Where they are.
        load: Loads one.
        is_news: Whether what became of a folder is to be logged; asked once it is loaded.

    Raises:
        ModelError, LicenseError: Not a single one can be served; the error is that of the first.
    """
    deployments: dict[tuple[str, str], Deployment] = {}
    failed: list[FailedDeployment] = []
    engines: list[ServedModel] = []
    errors: list[ModelError | LicenseError] = []
    for place in places:
        try:
            _check_names(place, deployments)
            engine = _load(load, place.path)
        except (ModelError, LicenseError) as error:
            if is_news(place.path):
                _log.error("model %s/%s in %s: %s", place.project, place.names[0], place.path, error.message)
            errors.append(error)
            failed += [
                FailedDeployment(project=place.project, name=name, reason=error.message, hint=error.hint)
                for name in place.names
            ]
            continue
        engines.append(engine)
        for name in place.names:
            deployments[place.project, name] = _deployment(place.project, name, engine)
        if is_news(place.path):
            _log.info(
                "model %s %s is served as %s/%s",
                engine.folder.name,
                engine.folder.release,
                place.project,
                " and ".join(place.names),
            )
    if errors and not deployments:
        raise errors[0]
    return Loaded(deployments=tuple(deployments.values()), failed=tuple(failed), engines=tuple(engines))


def _load(load: Callable[[Path], ServedModel], path: Path) -> ServedModel:
    """Load one model; whatever goes wrong is a refusal of this model and not the end of the service.

    Raises:
        ModelError, LicenseError: It cannot be served.
    """
    try:
        return load(path)
    except (ModelError, LicenseError, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a panic inside the tokenizer's library is no Exception
        raise ModelError(f"it cannot be loaded: {type(error).__name__}: {error}") from error


def _deployment(project: str, name: str, engine: ServedModel) -> Deployment:
    folder = engine.folder
    return Deployment(
        project=project,
        name=name,
        model=folder.name,
        release=folder.release,
        recognizer=engine,
        language=folder.language,
        languages=folder.made_for,
        description=folder.description,
        categories=folder.categories,
        path=folder.path,
    )


def _check_names(place: Place, taken: dict[tuple[str, str], Deployment]) -> None:
    for name in (place.project, *place.names):
        if not is_name(name):
            raise ModelError(
                f"the folder name {name[:60]!r} cannot be a project or deployment",
                hint="use 1 to 50 letters, digits, '_', '.' or '-'",
            )
    for name in place.names:
        if (place.project, name) in taken:
            raise ModelError(f"{place.project}/{name} is served from another folder already")
