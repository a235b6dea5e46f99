"""Build the images of this software from a bundle, without network, with whatever engine is here.

    python packaging/image/build.py [BUNDLE] --base IMAGE [--key release.pem] [--out dist]

BUNDLE is the tar of `make bundle`, or the folder it was unpacked to; without it, the newest tar in dist.
Podman with buildah is taken before docker: it alone gives the same digest twice, since docker dates layers by
its own clock. The images are also written to a file, signed as bundles are, that `podman load` and `docker
load` take.
"""

import argparse
import hashlib
import json
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parents[1]))

from canonical import rewrite
from common import ROOT, run

NAME: Final = "offline-appliance"
TAGS: Final = {
    "text": NAME,
    "speech": f"{NAME}/speech-to-text",
    "authoring": f"{NAME}/authoring",
    "diagnostic": f"{NAME}/diagnostic",
}
"""Targets of the Containerfile, and what each is called."""
LAYER_EPOCH: Final = 1_577_836_800
"""Unix second that every file of a layer bears, in every release: unchanged layers are not sent again."""
CONTAINERFILE: Final = "share/docs/deploy/Containerfile"
_NEEDED: Final = ("image", "share", "wheels", "roots.d", "sbom.cdx.json")


def main() -> None:
    """Build what the command line asks for."""
    options = _options()
    engine = find_engine(options.engine)
    with tempfile.TemporaryDirectory() as scratch:
        context = _context(options.bundle or _newest(options.out), Path(scratch))
        version, created = _version(context), _created(context)
        names = []
        for target in options.targets:
            name = f"{TAGS[target]}:{version}"
            words = ["--no-cache"] if options.no_cache and not names else []
            made = build(
                engine, context, target, name, *words, base=options.base, version=version, created=created
            )
            print(f"{name}  {made}")
            names.append(name)
        if not options.no_archive:
            _archive(engine, names, options.out / f"{NAME}-{version}-images.tar", options.key)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("bundle", nargs="?", type=Path, help="tar or folder of the bundle")
    parser.add_argument("--out", type=Path, default=ROOT / "dist")
    parser.add_argument(
        "--base",
        default="docker.io/library/python:3.11-slim-bookworm",
        help="image with a Python that the bundle has wheels for (default %(default)s)",
    )
    parser.add_argument("--engine", choices=("podman", "docker"), help="default: podman if it is here")
    parser.add_argument("--key", type=Path, help="Ed25519 private key in PEM, to sign the archive with")
    parser.add_argument("--no-cache", action="store_true", help="build every layer anew")
    parser.add_argument("--no-archive", action="store_true", help="only build; write no file")
    parser.add_argument(
        "--targets", type=lambda text: text.split(","), default=tuple(TAGS), help=",".join(TAGS)
    )
    return parser.parse_args()


def find_engine(name: str | None) -> str:
    """Return the engine to build with: podman where it is installed with buildah, else docker."""
    for engine, programs in (("podman", ("podman", "buildah")), ("docker", ("docker",))):
        if name in (None, engine) and all(map(shutil.which, programs)):
            return engine
    raise SystemExit(
        f"{name or 'neither podman nor docker'} is not installed: apt-get install podman buildah"
    )


def build(
    engine: str, context: Path, target: str, name: str, *more: str, base: str, version: str, created: str
) -> str:
    """Build one target and return the image's identifier.

    Args:
        engine: `podman` or `docker`.
        context: What of the bundle the build needs.
        target: Stage of the Containerfile.
        name: Name and tag.
        more: Further options of the engine's build.
        base: The base image.
        version: Of this software.
        created: Time of the release, which a label says.
    """
    arguments = {"BASE": base, "VERSION": version, "CREATED": created}
    # An OCI image has no health check; buildah would leave it out.
    words = (
        ["buildah", *_runtime(), "bud", "--format", "docker", "--layers", "--timestamp", str(LAYER_EPOCH)]
        if engine == "podman"
        else ["docker", "build"]
    )
    words += [*more, "--network", "none", "--target", target, "-f", str(context / CONTAINERFILE), "-t", name]
    words += [word for key, value in arguments.items() for word in ("--build-arg", f"{key}={value}")]
    run(*words, str(context))
    if engine == "podman":
        _make_canonical(name)
    return json.loads(run(engine, "image", "inspect", name))[0]["Id"].removeprefix("sha256:")


def _make_canonical(name: str) -> None:
    """Put an image's canonical form in its place, under its own name."""
    with tempfile.TemporaryDirectory() as scratch:
        saved, out = Path(scratch, "saved.tar"), Path(scratch, "canonical.tar")
        run("podman", "save", "--quiet", "--format", "docker-archive", "-o", str(saved), name)
        rewrite(saved, out, f"localhost/{name}")
        run("podman", "load", "--quiet", "-i", str(out))


def _runtime() -> list[str]:
    """Take runc where it is installed: Debian 12's crun refuses a machine with both versions of cgroups."""
    runc = shutil.which("runc")
    return ["--runtime", runc] if runc else []


def _context(bundle: Path, scratch: Path) -> Path:
    """Return a folder with what the build needs of a bundle, which the package for Debian is not."""
    if bundle.is_dir():
        top = bundle
    else:
        with tarfile.open(bundle) as tar:
            wanted = [member for member in tar if _is_needed(member.name)]
            tar.extractall(scratch, wanted, filter="data")
        (top,) = scratch.iterdir()
    return top


def _is_needed(name: str) -> bool:
    part = name.split("/")[1] if "/" in name else ""
    return part in _NEEDED or part.startswith("requirements-")


def _version(context: Path) -> str:
    (wheel,) = (context / "wheels").glob("offline_appliance-*.whl")
    return wheel.name.split("-")[1]


def _created(context: Path) -> str:
    """Return the time of the bundle's content, which its bill of materials says."""
    stamp: str = json.loads((context / "sbom.cdx.json").read_text())["metadata"]["timestamp"]
    return datetime.fromisoformat(stamp).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _newest(out: Path) -> Path:
    found = sorted(out.glob(f"{NAME}-*-linux-x86_64.tar"), key=lambda path: path.stat().st_mtime)
    if not found:
        raise SystemExit(f"there is no bundle in {out}: make bundle")
    return found[-1]


def _archive(engine: str, names: Sequence[str], target: Path, key: Path | None) -> None:
    """Write the images to one file, and its SHA-256 beside it, signed where there is a key."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    form = ["--format", "docker-archive", "--multi-image-archive"] if engine == "podman" else []
    run(engine, "save", *form, "-o", str(target), *names)
    with target.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    sums = target.with_suffix(".tar.sha256")
    sums.write_text(f"{digest}  {target.name}\n")
    if key is not None:
        run(
            "openssl", "pkeyutl", "-sign", "-rawin", "-inkey", str(key), "-in", str(sums),
            "-out", str(sums.with_suffix(".sha256.sig")),
        )  # fmt: skip
    print(f"{target}  {target.stat().st_size / 1e6:.1f} MB  sha256 {digest}")


if __name__ == "__main__":
    main()
