"""The plain manifests of a site, rendered out of the chart for those who do not use Helm.

    python packaging/manifests.py    # writes docs/deploy/site/request.yaml and site.yaml

A test holds them equal to what the chart gives.
"""

from pathlib import Path
from typing import Any, Final

import helm_python

DEPLOY: Final = Path(__file__).parent.parent / "docs" / "deploy"
CHART: Final = DEPLOY / "chart"
NAME: Final = "appliance"
VALUES: Final[dict[str, Any]] = {
    "eula": "accept",
    "roots": {"configMap": "appliance-roots"},
    "jobs": {"database": {"secret": "appliance-jobs"}},
    "networkPolicy": {"database": [{"podSelector": {"matchLabels": {"app": "postgres"}}}]},
}
STAGES: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "request.yaml": ("The desk's volume, and a Job that prints the request for a site licence.", {}),
    "site.yaml": (
        "A desk, replicas and what belongs to them. ../kubernetes.md has the order and the Secrets.",
        {"license": {"secret": "appliance-license"}},
    ),
}
"""For each file what it holds, and the values that it adds."""


def render(file: str) -> str:
    """Return what a file of `STAGES` holds."""
    about, more = STAGES[file]
    with helm_python.Chart.load(CHART) as chart:
        parts = chart.render(VALUES | more, name=NAME, namespace="default")
    texts = [text.strip() for name, text in sorted(parts.items()) if name.endswith(".yaml")]
    lines = "\n---\n".join(text for text in texts if text).splitlines()
    origin = "Rendered from ../chart by `make manifests`: change it there, or with kustomization.yaml."
    return f"# {about}\n# {origin}\n" + "\n".join(line.rstrip() for line in lines if line.strip()) + "\n"


def main() -> None:
    """Write the files."""
    for file in STAGES:
        place = DEPLOY / "site" / file
        place.parent.mkdir(exist_ok=True)
        place.write_text(render(file))
        print(place)


if __name__ == "__main__":
    main()
