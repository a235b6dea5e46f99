import ast
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.support.paths import ROOT


def test_onnxruntime_is_imported_by_loading_and_not_by_importing() -> None:
    code = "import sys, appliance.ner.engine; sys.exit('onnxruntime' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_start_waits_for_no_library_that_only_other_commands_or_services_need() -> None:
    code = (
        "import sys, appliance.cli.main, appliance.server.server, appliance.services.text;"
        "print({'onnx', 'soundfile', 'soxr', 'websockets', 'torch'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("set()\n", "")


@pytest.mark.parametrize(
    ("library", "doors"),
    [
        ("onnxruntime", {"onnx_tools/runtime.py"}),
        ("tokenizers", {"ner/tokenizer.py", "speech/whisper/tokens.py"}),
    ],
)
def test_each_heavy_library_has_one_door_in_each_service(library: str, doors: set[str]) -> None:
    package = ROOT / "appliance"
    users = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if "training" not in path.parts
        for node in _run(ast.parse(path.read_text("utf-8")))
        if library in _imported(node)
    }
    assert users == doors


def _run(node: ast.AST) -> Iterator[ast.AST]:
    """Walk what is run: an import for the sake of a type alone loads nothing."""
    if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
        return
    yield node
    for child in ast.iter_child_nodes(node):
        yield from _run(child)


def _imported(node: ast.AST) -> set[str]:
    names: list[str] = []
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom) and node.module:
        names = [node.module]
    return {name.partition(".")[0] for name in names}
