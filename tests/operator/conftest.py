"""A vendor, and sites whose operators type commands into this very process."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from appliance.cli import main
from license.authority import Authority
from tests.support.site import Site


@pytest.fixture(scope="session")
def vendor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    with Authority.create(tmp_path_factory.mktemp("vendor") / "home") as authority:
        yield authority


@pytest.fixture
def new_site(tmp_path: Path, vendor: Authority) -> Iterator[Callable[..., Site]]:
    sites: list[Site] = []

    def make(name: str = "site") -> Site:
        sites.append(Site(tmp_path / name, vendor))
        return sites[-1]

    yield make
    for site in sites:
        site.close()


@pytest.fixture
def site(new_site: Callable[..., Site]) -> Site:
    return new_site()


Operate = Callable[..., Result]


@pytest.fixture
def operate(site: Site) -> Operate:
    """Type a command at the site: `operate("license", "show")`."""

    def run(*words: str, stdin: bytes | None = None, at: Site = site) -> Result:
        name = words[: 1 if words[0] == "serve" else 2]
        given = [*name, "--roots", str(at.vendor.roots_dir), *at.mounts, *words[len(name) :]]
        environ = {name: None for name in os.environ if "__" in name or name.upper() == "EULA"}
        return CliRunner().invoke(main, given, input=stdin, env=environ)

    return run


@pytest.fixture
def said() -> Callable[[Result], dict[str, Any]]:
    """The JSON object a command printed."""

    def read(result: Result) -> dict[str, Any]:
        assert result.exit_code == 0, result.output
        value: dict[str, Any] = json.loads(result.stdout)
        return value

    return read
