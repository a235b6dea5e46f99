"""The image that trains: a model from the example of docs/custom-models.md, made and served in containers."""

import shutil
from pathlib import Path

import pytest

from license.authority.authority import Authority
from tests.support.paths import ROOT
from tests.system.container.conftest import ONLY_PODMAN
from tests.system.container.engine import Engine, make_images, with_roots
from tests.system.container.host import Host
from tests.system.container.test_text_lines import DISCONNECTED

pytestmark = [pytest.mark.slow, ONLY_PODMAN]


@pytest.fixture
def authoring(
    podman: Engine, unpacked: Path, vendor: Authority, tmp_path_factory: pytest.TempPathFactory
) -> str:
    plain = make_images(podman, unpacked, "authoring")
    return with_roots(podman, plain, vendor.roots_dir, tmp_path_factory.mktemp("roots"))["authoring"]


def test_a_model_is_trained_in_the_image_and_served_by_the_one_without_onnx(
    host: Host, authoring: str
) -> None:
    work = host.directory("work")
    shutil.copytree(ROOT / "docs/examples/loans", work / "loans")
    for path in (work, *work.rglob("*")):
        shutil.chown(path, 10001, 10001)
    options = f"--rm --network none --memory 2g -v {work}:/work"
    _, training = host.type(
        f"docker run {options} {authoring} train /work/loans/project.json"
        " --documents /work/loans/documents --out /work/loans-model"
    )
    trained = training.ended(900)
    assert trained.code == 0, trained.text
    added = host.run(
        f"docker run {options} {authoring} models add /work/loans-model --project loans --name v1"
        " Models:Path=/work/models"
    )
    assert added.code == 0, added.text
    host.license()
    served = host.line(DISCONNECTED, 1) + " Models:Path=/work/models"
    _, terminal = host.serve(served, f"-v {work}:/work")
    assert "loans" in terminal.text()
