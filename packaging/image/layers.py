"""Lay out the program as the layers of an image, inside the build stage of docs/deploy/Containerfile.

    python3 layers.py BUNDLE OUT BASE

BUNDLE is an unpacked bundle. OUT gets one folder a layer, each with /opt/appliance below it: `dependencies`,
which a release changes only with its lock; `models`, those that are served; `program`, this software;
`authoring`, what only training and importing models need. BASE has `os-release` and dpkg's `status` of the
base image, whose packages go into the bill of materials. Nothing is fetched. Only the standard library is
used: the base image has nothing else.

The same bundle and base give the same bytes. Compiled files are checked by nothing (`unchecked-hash`): they
carry no time, and nobody edits the sources of an image.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import elf

PREFIX = Path("/opt/appliance")
OWN = "offline-appliance"

AUTHORING = ("onnx", "ml-dtypes")
"""Reads and writes graphs: for training and importing, never for serving."""
MODELS = "/appliance/bundled/"
ENCODER = MODELS + "encoder-en/"
"""What custom models are trained from; a trained one holds what it needs of it."""
UNUSED = (
    "filelock",
    "fsspec",
    "hf-xet",
    "httpcore2",
    "httpx2",
    "huggingface-hub",
    "pyyaml",
    "tqdm",
    "truststore",
)
"""What tokenizers brings for downloads, with what those bring: no download is ever made that way."""
PRUNED = (
    "**/*.pyi",
    "**/*.pxd",
    "numpy/**/tests",
    "numpy/f2py",
    "numpy/_core/include",
    "numpy/_core/lib",
    "onnxruntime/capi/libonnxruntime.so*",
    "onnxruntime/datasets",
    "onnxruntime/quantization",
    "onnxruntime/tools",
    "onnxruntime/transformers",
    "sqlalchemy/dialects/mssql",
    "sqlalchemy/dialects/mysql",
    "sqlalchemy/dialects/oracle",
    "sqlalchemy/testing",
    "uvloop/*.c",
    "uvloop/**/*.pyx",
    "uvloop/*.so.debug",
)
"""Parts of packages that nothing here imports: tests, headers, sources, tools of other tasks. The C interface
of onnxruntime is a second copy of what its Python module holds itself."""


def main() -> None:
    """Lay out what the command line names."""
    bundle, out, base = Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])
    venv = PREFIX / "venv"
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    lines = (bundle / f"requirements-{python}.txt").read_text().splitlines()
    wanted = {line.partition("==")[0].lower(): line for line in lines if line}
    packages = {
        "dependencies": [name for name in wanted if name not in (*AUTHORING, *UNUSED, OWN)],
        "program": [OWN],
        "authoring": [name for name in AUTHORING if name in wanted],
    }
    _run(sys.executable, "-m", "venv", "--without-pip", venv)
    before: set[Path] = set()
    site = venv / "lib" / f"python{python}" / "site-packages"
    for layer, names in packages.items():
        _install(bundle, venv, [wanted[name] for name in names])
        _prune(site)
        new = sorted(set(_files(site)) - before)
        for file in new:
            if ".so" in file.suffixes:
                elf.cut(file)
        _compile([file for file in new if file.suffix == ".py"])
        now = set(_files(venv))
        for file in sorted(now - before):
            _copy(file, out / _layer(file.as_posix(), layer))
        before = now
    share = out / "program" / PREFIX.relative_to("/") / "share"
    shutil.copytree(bundle / "share", share)
    roots = out / "program/etc/appliance/roots.d"
    roots.mkdir(parents=True)
    for key in sorted((bundle / "roots.d").glob("*.vkey")):
        shutil.copyfile(key, roots / key.name)
    installed = [name for layer in ("dependencies", "program") for name in packages[layer]]
    _sbom(bundle / "sbom.cdx.json", share / "sbom.cdx.json", installed, base)


def _layer(file: str, layer: str) -> str:
    """Return the layer of a file: models have one of their own, which seldom changes."""
    if ENCODER in file:
        return "authoring"
    return "models" if MODELS in file else layer


def _install(bundle: Path, venv: Path, lines: list[str]) -> None:
    listed = Path("/tmp/requirements.txt")  # noqa: S108 (a build stage of its own)
    listed.write_text("".join(f"{line}\n" for line in lines))
    (pip,) = (bundle / "wheels").glob("pip-*.whl")
    _run(
        venv / "bin" / "python", "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-compile",
        "--disable-pip-version-check", "--no-warn-script-location", "--find-links", bundle / "wheels",
        "--require-hashes", "-r", listed,
        PYTHONPATH=str(pip), PIP_CONFIG_FILE=os.devnull, PIP_NO_CACHE_DIR="1", PIP_ROOT_USER_ACTION="ignore",
        PYTHONDONTWRITEBYTECODE="1",
    )  # fmt: skip
    listed.unlink()


def _prune(site: Path) -> None:
    for pattern in PRUNED:
        for path in sorted(site.glob(pattern)):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()


def _compile(sources: list[Path]) -> None:
    # Some packages carry files that are no Python of this version and never imported: no reason to end.
    words = ["-m", "compileall", "-q", "-j", "0", "--invalidation-mode", "unchecked-hash", "-i", "-"]
    subprocess.run(
        [sys.executable, *words], input="\n".join(map(str, sources)), text=True,
        env={**os.environ, "PYTHONHASHSEED": "0"}, capture_output=True, check=False,
    )  # fmt: skip


def _files(top: Path) -> list[Path]:
    return [path for path in top.rglob("*") if path.is_symlink() or not path.is_dir()]


def _copy(file: Path, to: Path) -> None:
    target = to / file.relative_to("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(file, target, follow_symlinks=False)
    if not target.is_symlink():
        target.chmod(0o755 if file.stat().st_mode & 0o100 and file.parent.name == "bin" else 0o644)


def _sbom(source: Path, target: Path, installed: list[str], base: Path) -> None:
    """Write the bundle's bill of materials without what is not in the image, and with the base's packages."""
    bill = json.loads(source.read_text())
    names = {_plain(name) for name in installed}
    bill["components"] = [part for part in bill.get("components", []) if _plain(part["name"]) in names]
    bill["components"] += _base_components(base)
    kept = {part["bom-ref"] for part in bill["components"]} | {"root-component"}
    kept.add(bill.get("metadata", {}).get("component", {}).get("bom-ref", ""))
    bill["dependencies"] = [
        {**link, "dependsOn": sorted(set(link.get("dependsOn", [])) & kept)}
        for link in bill.get("dependencies", [])
        if link["ref"] in kept
    ]
    target.write_text(json.dumps(bill, indent=2) + "\n")


def _base_components(base: Path) -> list[dict[str, object]]:
    """Return the system of the base image and its packages, as CycloneDX has them."""
    about = dict(line.split("=", 1) for line in (base / "os-release").read_text().splitlines() if "=" in line)
    system, version = about["ID"].strip('"'), about.get("VERSION_ID", "").strip('"')
    parts: list[dict[str, object]] = [
        {"type": "operating-system", "bom-ref": f"{system}-{version}", "name": system, "version": version}
    ]
    for paragraph in sorted((base / "status").read_text().strip().split("\n\n")):
        fields = dict(
            line.split(": ", 1) for line in paragraph.splitlines() if ": " in line and line[0] not in " \t"
        )
        if fields.get("Status", "").split()[-1:] != ["installed"]:
            continue
        where = f"arch={fields['Architecture']}&distro={system}-{version}"
        purl = f"pkg:deb/{system}/{quote(fields['Package'])}@{quote(fields['Version'], safe=':~')}?{where}"
        parts.append(
            {
                "type": "library",
                "bom-ref": purl,
                "name": fields["Package"],
                "version": fields["Version"],
                "purl": purl,
            }
        )
    return parts


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _run(*words: object, **environ: str) -> None:
    subprocess.run([str(word) for word in words], env={**os.environ, **environ}, check=True)


if __name__ == "__main__":
    main()
