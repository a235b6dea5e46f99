"""Take out of a saved image what differs from one build of the same layers to the next.

Buildah writes into the configuration of an image in docker's format which container built it, the host name
of that, and the identifiers of the images between. None of them means anything to whoever runs the image, and
all of them are new in each build.
"""

import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any, Final

_RANDOM: Final = ("container", "container_config", "parent")


def canonical(config: dict[str, Any]) -> dict[str, Any]:
    """Return an image's configuration without the traces of the build."""
    kept = {name: value for name, value in config.items() if name not in _RANDOM}
    kept["config"] = {**config["config"], "Hostname": ""}
    kept["history"] = [
        {name: value for name, value in step.items() if name != "comment"} for step in config["history"]
    ]
    return kept


def rewrite(saved: Path, out: Path, name: str) -> str:
    """Copy a docker archive of one image with its canonical configuration.

    Args:
        saved: What `podman save --format docker-archive` wrote.
        out: Where the copy goes.
        name: Name and tag that loading it gives.

    Returns:
        The image's identifier, which is the SHA-256 of its configuration, hexadecimal.
    """
    with tarfile.open(saved) as source, tarfile.open(out, "w") as target:
        (described,) = json.loads(_read(source, "manifest.json"))
        data = json.dumps(canonical(json.loads(_read(source, described["Config"]))), sort_keys=True).encode()
        identifier = hashlib.sha256(data).hexdigest()
        manifest = [{**described, "Config": f"{identifier}.json", "RepoTags": [name]}]
        _add(target, f"{identifier}.json", data)
        for layer in dict.fromkeys(described["Layers"]):
            member = source.getmember(layer)
            target.addfile(member, source.extractfile(member))
        _add(target, "manifest.json", json.dumps(manifest).encode())
    return identifier


def _read(source: tarfile.TarFile, name: str) -> bytes:
    file = source.extractfile(name)
    if file is None:
        raise ValueError(f"{name} is no file of the archive")
    return file.read()


def _add(target: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    target.addfile(member, io.BytesIO(data))
