"""Beyond one container: a pod, the next image, the same image again."""

import os
import subprocess
from pathlib import Path

from tests.support.paths import ROOT
from tests.system.container.conftest import ONLY_PODMAN
from tests.system.container.host import Host
from tests.system.container.test_text_lines import DISCONNECTED, found, used


@ONLY_PODMAN
def test_podman_plays_the_pod(host: Host) -> None:
    host.license()
    text = (ROOT / "docs/deploy/pod.yaml").read_text()
    for old, new in (
        ("name: appliance", f"name: oa-{host.port}"),
        ("localhost/offline-appliance:0.1.0", f"{host.images['text']}:latest"),
        ("hostPort: 5000", f"hostPort: {host.port}"),
        ("/srv/", f"{host.home}/"),
    ):
        assert old in text
        text = text.replace(old, new)
    manifest = host.home / "pod.yaml"
    manifest.write_text(text)
    try:
        host.engine.run("kube", "play", str(manifest))
        host.engine.wait_ready(f"oa-{host.port}-text")
        assert "Berlin" in found(host)
    finally:
        host.engine.run("kube", "down", str(manifest), check=False)


@ONLY_PODMAN
def test_the_next_image_goes_on_with_licence_and_ledger(host: Host, tmp_path: Path) -> None:
    host.license()
    line = host.line(DISCONNECTED, 1)
    name, terminal = host.serve(line)
    found(host)
    instance = [path.name for path in (host.home / "output/customner").iterdir()]
    (tmp_path / "Containerfile").write_text(f"FROM {host.images['text']}\nLABEL next=yes\n")
    following = f"{host.images['text']}-next"
    words = ["bud", "-q", "--format", "docker", "--network", "none", "-t", following, str(tmp_path)]
    environ = {**os.environ, **host.engine.environ}
    subprocess.run(["buildah", *words], check=True, capture_output=True, env=environ)
    host.stop(name, terminal)
    host.serve(line.replace(f" {host.images['text']} ", f" {following} "))
    assert "Berlin" in found(host)
    assert used(host) == 2
    assert [path.name for path in (host.home / "output/customner").iterdir()] == instance
