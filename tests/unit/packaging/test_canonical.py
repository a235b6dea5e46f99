"""Two builds of the same layers are the same image once the traces of the build are taken out."""

import io
import json
import runpy
import tarfile
from pathlib import Path
from typing import Any

from tests.support.paths import ROOT

rewrite = runpy.run_path(str(ROOT / "packaging/image/canonical.py"))["rewrite"]
HEALTH = {"Test": ["CMD", "appliance", "health"]}


def saved(path: Path, *, container: str, layer: bytes) -> Path:
    """An archive as `podman save` writes it, with what buildah says of the container that built it."""
    config: dict[str, Any] = {
        "container": container * 8,
        "container_config": {"Hostname": container},
        "parent": container * 4,
        "config": {"Hostname": container, "User": "10001", "Healthcheck": HEALTH},
        "history": [{"created_by": "COPY", "comment": f"FROM {container}"}],
        "rootfs": {"type": "layers", "diff_ids": ["sha256:1"]},
    }
    manifest = [{"Config": f"{container}.json", "RepoTags": [], "Layers": ["one.tar", "one.tar"]}]
    files = {
        f"{container}.json": json.dumps(config).encode(),
        "one.tar": layer,
        f"{container}/VERSION": b"1.0",
        "manifest.json": json.dumps(manifest).encode(),
    }
    with tarfile.open(path, "w") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


def test_the_traces_of_a_build_are_taken_out_and_the_rest_is_kept(tmp_path: Path) -> None:
    made = []
    for container in ("d02a59921465", "b54923cf14bd"):
        out = tmp_path / f"{container}-out.tar"
        source = saved(tmp_path / f"{container}.tar", container=container, layer=b"layer")
        made.append((rewrite(source, out, "localhost/appliance:1"), out.read_bytes()))
    assert made[0] == made[1]
    with tarfile.open(out) as tar:
        (described,) = json.load(tar.extractfile("manifest.json"))  # type: ignore[arg-type]
        config = json.load(tar.extractfile(described["Config"]))  # type: ignore[arg-type]
    assert described["RepoTags"] == ["localhost/appliance:1"]
    assert described["Layers"] == ["one.tar", "one.tar"]
    assert config["config"] == {"Hostname": "", "User": "10001", "Healthcheck": HEALTH}
    assert config["history"] == [{"created_by": "COPY"}]


def test_the_copy_has_no_more_than_loading_needs(tmp_path: Path) -> None:
    one = saved(tmp_path / "a.tar", container="aaaaaaaaaaaa", layer=b"layer")
    with tarfile.open(one) as tar:
        assert "aaaaaaaaaaaa/VERSION" in tar.getnames()
    rewrite(one, tmp_path / "b.tar", "x:1")
    with tarfile.open(tmp_path / "b.tar") as tar:
        names = tar.getnames()
    assert names[1:] == ["one.tar", "manifest.json"], "no more than what loading needs"
