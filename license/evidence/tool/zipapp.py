"""Builds `usage-verify.pyz`: the verifier as one file that runs wherever Python and `cryptography` are.

    python3 -m license.evidence.tool.zipapp dist/usage-verify.pyz

It holds the very modules that the service uses, and only those that verification imports: found by following
imports, so that nothing of the appliance can slip in. The same sources give the same bytes. The page that
`--html` writes names their version.
"""

import ast
import sys
import zipfile
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Final

_ENTRY: Final = "license.evidence.tool.command"
_MAIN: Final = (
    "import sys\nfrom license.evidence.tool.command import main\n"
    'sys.exit(main(tool="usage-verify.pyz {version}"))\n'
)
_SHEBANG: Final = b"#!/usr/bin/env python3\n"
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
_MODE: Final = 0o644 << 16


def modules(root: Path, entry: str = _ENTRY) -> dict[str, Path]:
    """Return the modules of `license` that one of them needs, by name, with the packages they lie in.

    Args:
        root: Directory in which the package lies.
        entry: The module that is run.
    """
    paths: dict[str, Path] = {}
    waiting = [entry]
    while waiting:
        name = waiting.pop()
        path = _path(root, name)
        if path is None or name in paths:
            continue
        paths[name] = path
        waiting.extend(_imports(path))
        waiting.append(name.rpartition(".")[0])
    return dict(sorted(paths.items()))


def build(target: Path, root: Path) -> Sequence[str]:
    """Write the file and return the names of the modules in it; raises `OSError`."""
    paths = modules(root)
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as file:
        file.write(_SHEBANG)
        with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as archive:
            _add(archive, "__main__.py", _MAIN.format(version=version("offline-appliance")).encode())
            for path in paths.values():
                _add(archive, path.relative_to(root).as_posix(), path.read_bytes())
    target.chmod(0o755)
    return list(paths)


def _add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    info = zipfile.ZipInfo(name, _EPOCH)
    info.create_system, info.external_attr, info.compress_type = 3, _MODE, zipfile.ZIP_DEFLATED
    archive.writestr(info, data)


def _path(root: Path, name: str) -> Path | None:
    if name.split(".", maxsplit=1)[0] != "license":
        return None
    base = root.joinpath(*name.split("."))
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file():
            return path
    return None


def _imports(path: Path) -> Iterator[str]:
    """Every module a file names in an import, and each name taken from one: it may be a module too."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


if __name__ == "__main__":
    wanted = Path(sys.argv[1] if len(sys.argv) > 1 else "dist/usage-verify.pyz")
    names = build(wanted, Path(__file__).parents[3])
    sys.stdout.write(f"{wanted}  {wanted.stat().st_size:,} bytes, {len(names)} modules\n")
