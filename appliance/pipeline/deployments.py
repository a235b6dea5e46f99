"""Which model answers: deployments by project and name, and the default one for prebuilt requests."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from appliance.errors import InferenceFailed, Stopping, UnknownDeployment, UnknownModelVersion
from appliance.pipeline.pipeline import Recognizer


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """A model under the name callers use for it; both names are case-sensitive.

    Attributes:
        project: `projectName` of requests.
        name: `deploymentName` of requests.
        model: The model's own name.
        release: Its version; `modelVersion` in replies.
        recognizer: What answers texts; None for a model that reads none, such as a speech model.
        language: BCP 47 tag, `multilingual`, or the empty string.
        languages: Languages it was made for, as `covers` reads them; empty if it does not say.
        description: One sentence, or the empty string.
        categories: What it finds.
        path: Where its folder or package lies; None where that is not known.
    """

    project: str
    name: str
    model: str
    release: str
    recognizer: Recognizer | None = None
    language: str = ""
    languages: tuple[str, ...] = ()
    description: str = ""
    categories: tuple[str, ...] = ()
    path: Path | None = None

    def require_recognizer(self) -> Recognizer:
        """What answers texts.

        Raises:
            InferenceFailed: The model reads no text.
        """
        if self.recognizer is None:
            raise InferenceFailed("a speech model reads no text")
        return self.recognizer


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedDeployment:
    """A model that was found and cannot be served.

    Attributes:
        project: `projectName` it would have had.
        name: `deploymentName` it would have had.
        reason: Names the file and what is wrong with it.
        hint: The next step.
    """

    project: str
    name: str
    reason: str
    hint: str


class Deployments:
    """The deployments of this service; empty until its models are loaded.

    Args:
        alias: The one `modelId` of v3.1-preview.ct.1 clients that means the default deployment; with the
            empty string, any does while a single model is served.
    """

    def __init__(self, *, alias: str = "") -> None:
        self._items: dict[tuple[str, str], Deployment] = {}
        self._alias = alias
        self.failed: tuple[FailedDeployment, ...] = ()

    def __iter__(self) -> Iterator[Deployment]:
        return iter(self._items.values())

    def __len__(self) -> int:
        return len(self._items)

    def set(self, deployments: Sequence[Deployment], failed: Sequence[FailedDeployment] = ()) -> None:
        """Serve these from now on; the first is the default."""
        self._items = {(item.project, item.name): item for item in deployments}
        self.failed = tuple(failed)

    def renew(
        self,
        before: Collection[Deployment],
        deployments: Sequence[Deployment],
        failed: Sequence[FailedDeployment] = (),
    ) -> None:
        """Serve these in place of those before, from now on; others that were put here stay."""
        gone = {id(item) for item in before}
        others = {key: item for key, item in self._items.items() if id(item) not in gone}
        self._items = {(item.project, item.name): item for item in deployments} | others
        self.failed = tuple(failed)

    def put(self, deployment: Deployment) -> None:
        """Serve one more, or another under a name that is served already."""
        self._items = {**self._items, (deployment.project, deployment.name): deployment}

    def drop(self, project: str, name: str) -> None:
        """Stop serving it. No error if it is not served."""
        self._items = {key: item for key, item in self._items.items() if key != (project, name)}

    def find(self, project: str, name: str) -> Deployment:
        """The deployment of that name.

        Raises:
            UnknownDeployment: There is none.
            Stopping: No model is loaded yet.
        """
        self._require_loaded()
        try:
            return self._items[project, name]
        except KeyError:
            pass
        if any((failed.project, failed.name) == (project, name) for failed in self.failed):
            raise UnknownDeployment(
                "The model of this deployment could not be loaded.", hint="GET /models says why"
            )
        raise UnknownDeployment(
            "No model is served under the projectName and deploymentName of this request.",
            hint="both are case-sensitive; GET /models lists what is served",
        )

    def by_model_id(self, model_id: str) -> Deployment:
        """The deployment that an oldest client means by its `modelId`.

        Raises:
            UnknownDeployment: None can be meant.
            Stopping: No model is loaded yet.
        """
        self._require_loaded()
        first, *others = self._items.values()
        if model_id == self._alias or (not self._alias and not others):
            return first
        named = [item for item in self if model_id in (item.name, item.model, f"{item.project}/{item.name}")]
        if len(named) != 1:
            raise UnknownDeployment(
                "No model is served under the modelId of this request.",
                hint="GET /models lists what is served",
            )
        return named[0]

    def default(self, version: str = "latest") -> Deployment:
        """The deployment that answers prebuilt requests.

        Raises:
            UnknownModelVersion: `version` is neither `latest` nor the default's release.
            Stopping: No model is loaded yet.
        """
        self._require_loaded()
        first = next(iter(self._items.values()))
        if version not in ("latest", first.release):
            raise UnknownModelVersion(f"Invalid model version. Possible values are: latest,{first.release}")
        return first

    def _require_loaded(self) -> None:
        if not self._items:
            raise Stopping("The model is still loading.", hint="wait until GET /ready answers 200")
