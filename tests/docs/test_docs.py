"""The documentation against the program: commands, settings and links that exist."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

import appliance.cli.main
import license.authority.cli.main
from appliance.config.setting_table import describe
from tests.support.paths import ROOT

PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "systemd/README.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
PROGRAMS: dict[str, click.Command] = {
    "appliance": appliance.cli.main.main,
    "license": license.authority.cli.main.main,
}


def commands(page: Path) -> Iterator[list[str]]:
    """Each call of a program of ours in the page's indented code, as words."""
    code = "\n".join(line[4:] for line in page.read_text().splitlines() if line.startswith("    "))
    for line in code.replace("\\\n", " ").splitlines():
        words = (
            shlex.split(line, comments=True) if re.match(r"(/opt/\S+/)?(appliance|license) ", line) else []
        )
        if words:
            yield [Path(words[0]).name, *words[1:]]


CALLS = [(page.name, words) for page in PAGES for words in commands(page)]


@pytest.mark.parametrize(("page", "words"), CALLS, ids=lambda value: " ".join(value)[:60])
def test_a_documented_command_exists_with_its_options(page: str, words: list[str]) -> None:
    command, rest = PROGRAMS[words[0]], words[1:]
    while isinstance(command, click.Group) and rest and "=" not in rest[0]:
        found = command.get_command(click.Context(command), rest[0])
        assert found is not None, f"{page}: {' '.join(words)}"
        command, rest = found, rest[1:]
    if isinstance(command, click.Group):  # the containers' form: settings and no command
        known = {key.lower() for key, _, _ in describe()}
        assert {word.partition("=")[0].lower() for word in rest} <= known
    else:
        options = {name for parameter in command.params for name in parameter.opts}
        assert {word for word in rest if word.startswith("--")} <= options | {"--help"}


def test_pages_call_the_program_by_the_name_that_both_installers_put_into_the_path() -> None:
    installer = (ROOT / "packaging" / "install.sh").read_text()
    assert 'ln -sfn "$prefix/venv/bin/appliance" /usr/local/bin/appliance' in installer
    assert (
        '"usr/bin/appliance", "/opt/appliance/venv/bin/appliance"' in (ROOT / "packaging/deb.py").read_text()
    )
    typed = re.compile(r"^ {4}.*/opt/appliance/venv/bin/appliance", re.MULTILINE)
    assert [str(page) for page in PAGES if typed.search(page.read_text())] == []


def test_the_pages_do_show_commands() -> None:
    assert len(CALLS) > 8


def test_every_setting_stands_in_the_operators_page_with_its_default() -> None:
    page = (ROOT / "docs" / "operator.md").read_text()
    for key, default, _ in describe():
        assert f"| `{key}` | {f'`{default}`' if default else ''} |" in page


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def headings(page: Path) -> set[str]:
    """The anchors of a page, as GitHub makes them of its headings."""
    found = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", text.lower()).replace(" ", "-") for text in found}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_to_a_heading_lead_to_one(page: Path) -> None:
    for target, anchor in re.findall(r"\]\(([^)#]*)#([^)]+)\)", page.read_text()):
        if "://" not in target:
            assert anchor in headings(page.parent / target if target else page), f"{target}#{anchor}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_named_in_a_page_exist(page: Path) -> None:
    text = page.read_text()
    for name in re.findall(r"`((?:appliance|license|systemd|tests|docs)/[\w/.-]+\.\w+)`", text):
        assert (ROOT / name).exists(), name
