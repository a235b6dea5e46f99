"""`GET /models`: what is served under which names, and what could not be loaded and why. Never charged."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from appliance.pipeline.deployments import Deployment, Deployments, FailedDeployment


class ModelsApi:
    """The list of models.

    Args:
        deployments: Models by project and deployment.
    """

    def __init__(self, deployments: Deployments) -> None:
        self._deployments = deployments

    def routes(self) -> list[Route]:
        """Routes to mount at the root."""
        return [Route("/models", self.models, methods=["GET"])]

    async def models(self, _: Request) -> Response:
        """`GET /models`."""
        served = [_served(item, default=n == 0) for n, item in enumerate(self._deployments)]
        return JSONResponse({"models": [*served, *map(_failed, self._deployments.failed)]})


def _served(deployment: Deployment, *, default: bool) -> dict[str, Any]:
    return {
        "projectName": deployment.project,
        "deploymentName": deployment.name,
        "status": "ready",
        "default": default,
        "name": deployment.model,
        "modelVersion": deployment.release,
        "language": deployment.language,
        "languages": list(deployment.languages),
        "description": deployment.description,
        "categories": list(deployment.categories),
    }


def _failed(failure: FailedDeployment) -> dict[str, Any]:
    return {
        "projectName": failure.project,
        "deploymentName": failure.name,
        "status": "failed",
        "default": False,
        "reason": failure.reason,
        "hint": failure.hint,
    }
