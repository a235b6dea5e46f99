"""The commands of docs/licence.md, run in the order of the page: both ways to a licence, and what follows."""

import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from appliance.pipeline.pipeline import TEXT_RECORDS
from license.authority.authority import Authority
from tests.support.forked_process import run_forked_text
from tests.support.paths import ROOT
from tests.support.site import Site, clean_environ

PAGE = ROOT / "docs" / "licence.md"
FIXED = {
    "/etc/appliance/license": "{site.license}",
    "https://license.example.com": "{billing}",
    "ApiKey=KEY": "ApiKey={key}",
    "/media/usb": "{stick}",
    "ner-en-3-1.0.2.age": "ner-en",
}


def commands() -> Iterator[str]:
    code = "\n".join(line.strip() for line in PAGE.read_text().splitlines() if line.startswith("    "))
    yield from (line for line in code.replace("\\\n", " ").splitlines() if line.startswith("appliance "))


@pytest.fixture
def vendor(tmp_path: Path) -> Iterator[Authority]:
    with Authority.create(tmp_path / "vendor") as authority:
        yield authority


@pytest.fixture
def run(vendor: Authority, billing: str, tmp_path: Path) -> Callable[[str], tuple[int, str]]:
    """Type a command of the page: only addresses, keys and places are other ones, and the roots are named."""
    site = Site(tmp_path / "site", vendor)
    stick = tmp_path / "stick"
    stick.mkdir()
    (stick / "ner-en").symlink_to(ROOT / "appliance" / "bundled" / "ner-en")
    key = vendor.create_resource("bought", customer="C", meters={TEXT_RECORDS: 1_000}).key1
    environ = {
        **clean_environ(),
        "Mounts__License": str(site.license),
        "Mounts__Output": str(site.output),
        "Mounts__State": str(site.state),
    }

    def type_in(command: str) -> tuple[int, str]:
        for printed, real in FIXED.items():
            command = command.replace(printed, real.format(site=site, billing=billing, key=key, stick=stick))
        words = shlex.split(command)
        given = [*words[1:3], "--roots", str(vendor.roots_dir), *words[3:]]
        done = run_forked_text("appliance", given, environ=environ, directory=tmp_path)
        return done.returncode, done.stdout + done.stderr

    return type_in


@pytest.mark.e2e
def test_every_command_of_the_page_does_what_the_page_says(
    run: Callable[[str], tuple[int, str]], vendor: Authority, tmp_path: Path
) -> None:
    seen = []
    for command in commands():
        code, said = run(command)
        seen.append(" ".join(command.split()[1:3]))
        if seen[-1] == "clock accept" or "ner-en/4" in command:
            assert (code, "nothing to accept" in said) == ((1, True) if "clock" in command else (0, False)), (
                said
            )
            continue
        assert code == 0, f"{command}\n{said}"
        if seen[-1] == "license show" and seen.count("license request") == 2 and "--json" not in command:
            assert re.search(r"^next ", said, re.MULTILINE), said
        if seen[-1] == "license request":
            if seen.count("license request") == 1:
                bought = vendor.create_resource(customer="C", meters={TEXT_RECORDS: 1_000}).resource
            else:  # the same resource, for its next period
                bought = vendor.renew_resource(bought.name)
            issued = vendor.issue(bought, (tmp_path / "request.note").read_bytes())
            (tmp_path / "stick" / "license.note").write_bytes(issued.note)
            (tmp_path / "stick" / "issuer.note").write_bytes(issued.issuer_note)
    assert set(seen) == {
        *(f"license {name}" for name in ("download", "request", "install", "show", "check")),
        *(f"clock {name}" for name in ("show", "accept")),
    }


@pytest.mark.e2e
def test_the_next_licence_of_a_renewed_resource_comes_over_the_network_with_the_same_key(
    run: Callable[[str], tuple[int, str]], vendor: Authority
) -> None:
    download, show = (
        next(command for command in commands() if command.startswith(f"appliance license {name}"))
        for name in ("download", "show")
    )
    assert run(download)[0] == 0
    vendor.renew_resource("bought")
    code, said = run(download)
    assert (code, "Valid from" in said) == (0, True), said
    assert re.search(r"^next +\S+ \(serial 2\) from ", run(show)[1], re.MULTILINE)


def test_the_page_names_every_state_and_every_clock_word() -> None:
    page = PAGE.read_text()
    for state in ("NotYetValid", "Valid", "Expiring", "Grace", "Expired", "Mismatch", "Invalid"):
        assert re.search(rf"`{state}`", page)
