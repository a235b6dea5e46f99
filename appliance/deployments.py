"""Which model answers: deployments by project and name, and the default one for prebuilt requests."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from appliance.errors import Stopping, UnknownDeployment, UnknownModelVersion
from appliance.pipeline import Recognizer


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """A model under the name callers use for it; both names are case-sensitive."""

    project: str
    name: str
    model: str
    release: str
    recognizer: Recognizer


class Deployments:
    """The deployments of this service; empty until its models are loaded."""

    def __init__(self) -> None:
        self._items: dict[tuple[str, str], Deployment] = {}

    def __iter__(self) -> Iterator[Deployment]:
        return iter(self._items.values())

    def __len__(self) -> int:
        return len(self._items)

    def set(self, deployments: Sequence[Deployment]) -> None:
        """Serve these from now on; the first is the default."""
        self._items = {(item.project, item.name): item for item in deployments}

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
            raise UnknownDeployment(
                "No model is served under the projectName and deploymentName of this request.",
                hint="both are case-sensitive; GET /status lists what is served",
            ) from None

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
