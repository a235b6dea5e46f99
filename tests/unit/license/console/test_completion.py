"""Shell completion of both programs, in a real bash."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from appliance.cli.main import main as appliance
from license.authority.cli.main import main as license


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_its_lines(shell: str) -> None:
    for program, main in (("appliance", appliance), ("license", license)):
        said = CliRunner().invoke(main, ["completion", shell])
        assert said.exit_code == 0
        assert f"_{program.upper()}_COMPLETE={shell}_complete" in said.stdout


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_completes_commands_and_options(tmp_path: Path) -> None:
    command = tmp_path / "license"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m license.authority.cli.main "$@"\n')
    command.chmod(0o755)
    script = (
        'PATH="$PWD:$PATH"; eval "$(license completion bash)"\n'
        'complete() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _license_completion license; '
        'echo "${COMPREPLY[@]}"; }\n'
        "complete license resource cr; complete license issue --res\n"
    )
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["create", "--resource"], done.stderr
