"""The manners of both programs, tried on the programs themselves."""

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner, Result

from appliance.cli.main import main as appliance
from license.authority.cli.main import main as license
from license.console.group import CommandGroup
from tests.support.command_tree import tree

PROGRAMS = {"appliance": appliance, "license": license}
EACH = pytest.mark.parametrize("program", PROGRAMS)


def run(program: str, *words: str, **environ: str) -> Result:
    return CliRunner(env=environ).invoke(PROGRAMS[program], words, prog_name=program, color=True)


def groups(program: str) -> list[tuple[str, ...]]:
    return [path for path, command in tree(PROGRAMS[program]) if isinstance(command, click.Group)]


@EACH
def test_dash_h_is_help_for_every_group(program: str) -> None:
    for path in groups(program):
        short, long = run(program, *path, "-h"), run(program, *path, "--help")
        assert (short.exit_code, short.output) == (0, long.output)


@EACH
def test_no_summary_of_a_command_is_cut(program: str) -> None:
    for path in groups(program):
        assert "..." not in run(program, *path, "--help").output.partition("Commands:")[2]


@EACH
def test_the_version_is_told(program: str) -> None:
    said = run(program, "--version")
    assert said.exit_code == 0
    assert said.output.startswith(f"{program}, version ")


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("appliance licence", "appliance license"),
        ("appliance modles list", "appliance models"),
        ("appliance usage exprot", "appliance usage export"),
        ("appliance export", "appliance site export or appliance usage export"),
        ("appliance --verison", "--version"),
        ("appliance license show --jsno", "--json"),
        ("appliance doctor --jsn", "--json"),
        ("appliance license show Mounts:Licence=/x", "Mounts:License"),
        ("appliance models list ModelsPath=/x", "Models:Path"),
        ("license isue", "license issue"),
        ("license resource creat", "license resource create"),
        ("license grant", "license resource grant"),
        ("license issue --resorce x", "--resource"),
    ],
)
def test_a_mistyped_word_is_answered_with_the_one_that_was_meant(words: str, meant: str) -> None:
    program, *rest = words.split()
    said = run(program, *rest, NO_COLOR="1")
    assert said.exit_code in {2, 78}
    error, hint = said.stderr.splitlines()
    assert error.startswith("error: ")
    assert hint == f"hint: did you mean {meant}?"


@EACH
def test_wrong_usage_is_two_lines_like_every_other_error(program: str) -> None:
    said = run(program, "nonsense-that-nothing-resembles", NO_COLOR="1")
    assert said.exit_code == 2
    assert said.stderr.splitlines()[1] == f"hint: see {program} --help"


@EACH
def test_no_color_means_no_colour_and_a_terminal_without_it_gets_some(program: str) -> None:
    def typed(**environ: str) -> str:
        command = [sys.executable, "-m", "tests.support.on_a_terminal", program, "nonsense"]
        return subprocess.run(command, capture_output=True, text=True, env=environ, check=False).stdout

    assert "\x1b[" in typed(TERM="xterm")
    assert "\x1b[" not in typed(TERM="xterm", NO_COLOR="1")


def test_the_vendors_command_loads_no_database_and_no_web_server_to_say_how_it_is_used() -> None:
    script = (
        "import sys; from license.authority.cli.main import main\n"
        "try: main(['resource', '--help'])\n"
        "except SystemExit: pass\n"
        "print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert not {"sqlalchemy", "sqlmodel", "pydantic", "uvicorn", "starlette"} & set(done.stderr.split())


@EACH
def test_a_summary_that_is_shown_without_importing_the_command_is_that_of_its_help(program: str) -> None:
    group = PROGRAMS[program]
    assert isinstance(group, CommandGroup)
    for name, lazy in group.lazy.items():
        command = group.get_command(click.Context(group), name)
        assert command is not None
        assert command.get_short_help_str(10_000) == lazy.summary


@EACH
@pytest.mark.parametrize("word", ["--help", "--version"])
def test_no_heavy_library_is_imported_before_a_command_is_known(program: str, word: str) -> None:
    module = PROGRAMS[program].callback.__module__
    heavy = ("cryptography", "numpy", "pydantic", "sqlalchemy", "sqlmodel", "starlette", "uvicorn")
    code = (
        f"import sys\nfrom {module} import main\n"
        f"try: main([{word!r}])\n"
        f"finally: print([name for name in {heavy} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    loaded = next(line for line in done.stderr.splitlines() if line.startswith("["))
    assert loaded == "[]"
