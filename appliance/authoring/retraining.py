"""Two people who train under one name: the second hears of the first, and replaces nothing unasked."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from appliance.authoring.jobs import ENDED
from appliance.authoring.tables import JobRow, ModelRow
from appliance.errors import ModelLabelTaken


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Who asks for a training, and what they know of the model that it may replace.

    Attributes:
        by: Name of the caller's key; empty where callers have none.
        request: The caller's own id of the request: sent twice, it is one training; empty for none.
        replaces: Id of the model that is to be replaced; empty to replace any.
        new: Whether there may be no model of the name yet.
    """

    by: str = ""
    request: str = ""
    replaces: str = ""
    new: bool = False


def sent_before(jobs: Sequence[JobRow], terms: Terms) -> JobRow | None:
    """Return the training of the same request, if this one is sent again.

    Args:
        jobs: The jobs of the project.
        terms: Of the training that is asked for.
    """
    if not terms.request:
        return None
    wanted = ("train", terms.by, terms.request)
    return next((job for job in jobs if (job.kind, *map(job.outcome.get, ("by", "request"))) == wanted), None)


def check_label(label: str, jobs: Sequence[JobRow], model: ModelRow | None, terms: Terms) -> None:
    """Refuse a training whose model would take the place of one that the caller does not know of.

    Args:
        label: Name of the model that is wanted.
        jobs: The jobs of the project, as they are now.
        model: The model that has the name.
        terms: Who asks, and what they know.

    Raises:
        ModelLabelTaken: It says who trains under the name, or did, and when.
    """
    going = [job for job in jobs if (job.kind, job.target) == ("train", label) and job.status not in ENDED]
    if going:
        raise ModelLabelTaken(
            f"The model {label} is being trained{_since(going[0])}; a second training would replace it.",
            hint="train under another name, or wait until it is trained",
        )
    if model is None:
        if terms.replaces:
            message = f"The model {label} that was to be replaced is gone."
            raise ModelLabelTaken(message, hint="train it anew under this name")
        return
    if terms.new or terms.replaces not in ("", model.id):
        raise ModelLabelTaken(
            f"There is a model {label}, {_trained(model, jobs)}; this training would replace it.",
            hint="train under another name, or say that it may be replaced",
        )


def replaced(model: ModelRow, jobs: Sequence[JobRow]) -> str:
    """Return the sentence about a model whose place a new one has taken.

    Args:
        model: The model that was there.
        jobs: The jobs of the project.
    """
    return f"it takes the place of the model {model.label} {_trained(model, jobs)}"


def _trained(model: ModelRow, jobs: Sequence[JobRow]) -> str:
    """When a model was trained, and with which key where its training is still remembered."""
    done = (job for job in jobs if job.kind == "train" and job.outcome.get("model") == model.id)
    when = datetime.fromtimestamp(model.trained, UTC)
    return f"trained on {when:%-d %B %Y at %H:%M} UTC{next((_by(job) for job in done), '')}"


def _since(job: JobRow) -> str:
    return f"{_by(job)} since {datetime.fromtimestamp(job.created, UTC):%-d %B %Y at %H:%M} UTC"


def _by(job: JobRow) -> str:
    name = job.outcome.get("by")
    return f" with the key {name}" if name else ""
