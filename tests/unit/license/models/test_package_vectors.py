"""Every case in `tests/vectors/packages/`: from licence and package to the model, or the refusal."""

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from license.authority.keys.root_keys import load_root
from license.crypto.hpke import HpkeKey
from license.encoding.strict import decode_base64
from license.errors import LicenseError, Malformed, WrongPassphrase
from license.licenses.verify import open_license
from license.models.keys import identity_for
from license.models.manifest import open_manifest
from license.models.package import open_package
from license.trust.roots import load_roots
from tests.support.paths import VECTORS

CASES = sorted((VECTORS / "packages").glob("*.json"))


def run(case: dict[str, Any], directory: Path) -> dict[str, bytes]:
    roots = load_roots(VECTORS / "roots")
    good_issuer = json.loads((VECTORS / "packages/good.json").read_bytes())["issuer"].encode()
    licence = open_license(case["license"].encode(), good_issuer, roots=roots).license
    manifest = open_manifest(case["manifest"].encode(), case["issuer"].encode(), roots)
    machine = HpkeKey.from_bytes(bytes.fromhex(case["machine"])) if case["machine"] else None
    identity = identity_for(licence, manifest.line, machine)
    (directory / "package.age").write_bytes(decode_base64(case["package"]))
    return dict(open_package(directory / "package.age", manifest, identity))


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_vector(path: Path, tmp_path: Path) -> None:
    case = json.loads(path.read_bytes())
    if case["expect"] == "ok":
        assert run(case, tmp_path) == {"config.json": b"{}", "model.onnx": b"weights" * 200}
        return
    with pytest.raises(LicenseError) as caught:
        run(case, tmp_path)
    assert caught.value.code == case["expect"], caught.value.message
    assert caught.value.hint


def test_locked_roots_open_with_their_passphrase() -> None:
    locked = VECTORS / "locked"
    root = load_root(locked / "root.key.age", lambda: "correct horse battery")
    assert root.verifying in load_roots(VECTORS / "roots").keys
    with pytest.raises(WrongPassphrase):
        load_root(locked / "root.key.age", lambda: "wrong horse battery")
    with pytest.raises(Malformed, match="holds no signing key"):
        load_root(locked / "no-key.age", lambda: "correct horse battery")


def test_the_recipe_makes_these_very_files() -> None:
    spec = importlib.util.spec_from_file_location("make_packages", VECTORS / "make_packages.py")
    assert spec is not None
    assert spec.loader is not None
    recipe = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(recipe)
    made = recipe.files()
    assert {name: (VECTORS / name).read_bytes() for name in made} == made
    assert {f"packages/{path.name}" for path in CASES} == {
        name for name in made if name.startswith("packages/")
    }
