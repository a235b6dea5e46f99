"""A vendor, and sites whose operators type commands into this very process."""

import json
import os
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner, Result

from appliance.cli.main import main
from tests.support.site import Site

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
