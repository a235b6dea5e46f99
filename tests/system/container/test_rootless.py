"""Podman of a user without privileges: the lines with `:U`, and with the user's own number kept.

Without a network of its own where `/dev/net/tun` is closed to users, as it is on some machines: the line then
shares that of its host.
"""

import os
import pwd
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.system.container.conftest import ONLY_PODMAN
from tests.system.container.engine import Engine, copy_images, make_settings
from tests.system.container.host import Host
from tests.system.container.shop import Shop
from tests.system.container.test_text_lines import DISCONNECTED, found, used

pytestmark = [pytest.mark.slow, ONLY_PODMAN]

NAME = "oa-rootless-test"
KEEP = "--userns=keep-id:uid=10001,gid=10001"


@pytest.fixture(scope="module")
def user() -> Iterator[pwd.struct_passwd]:
    """A user made for the test, with numbers of its own for containers (subuid)."""
    if shutil.which("newuidmap") is None or shutil.which("useradd") is None:
        pytest.skip("needs users with numbers of their own: apt-get install uidmap passwd")
    subprocess.run(["useradd", "--create-home", "--shell", "/bin/sh", NAME], check=True, capture_output=True)
    try:
        yield pwd.getpwnam(NAME)
    finally:
        subprocess.run(["userdel", "--remove", NAME], check=False, capture_output=True)


@pytest.fixture(scope="module")
def rootless(
    user: pwd.struct_passwd, podman: Engine, built: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Engine]:
    home = Path(user.pw_dir)
    run = home / "run"
    run.mkdir(mode=0o700)
    os.chown(run, user.pw_uid, user.pw_gid)
    settings = make_settings(home / "containers.conf")
    program = home / "podman"
    program.write_text(
        f"#!/bin/sh\ncd /\nexec runuser -u {NAME} -- env TMPDIR={home} HOME={home} XDG_RUNTIME_DIR={run}"
        f' CONTAINERS_CONF={settings} STORAGE_DRIVER=overlay podman "$@"\n'
    )
    program.chmod(0o755)
    home.chmod(0o755)
    engine = Engine(name=str(program), host="127.0.0.1")
    place = home / "archive"
    place.mkdir()
    try:
        copy_images(podman, engine, [built["text"]], place)
        tried = engine.run("run", "--rm", "--network", "host", KEEP, built["text"], "--version", check=False)
        if tried.returncode != 0:
            pytest.skip(f"no user can run a container here: {tried.stderr.strip()[-300:]}")
        yield engine
    finally:
        # Ends the process that keeps the user's name space.
        engine.run("system", "migrate", check=False)


@pytest.mark.parametrize(("volume", "option"), [(":U", ""), ("", KEEP)], ids=["U", "keep-id"])
def test_a_user_without_privileges_is_licensed_and_serves(
    user: pwd.struct_passwd,
    rootless: Engine,
    built: dict[str, str],
    own_shop: Shop,
    new_host: Callable[..., Host],
    free_port: Callable[[], int],
    volume: str,
    option: str,
) -> None:
    home = new_host().home
    host = Host(home, rootless, built, own_shop, free_port())
    for name in ("license", "output"):
        host.directory(name, owner=user.pw_uid)

    def line(number: int, **more: str) -> str:
        text = host.line(DISCONNECTED, number, **more)
        for mount in ("license", "output"):
            text = text.replace(f":/{mount} ", f":/{mount}{volume} ")
        # Limits need version 2 of control groups, delegated to the user.
        text = text.replace("--memory 4g --cpus 4", "")
        text = text.replace(f"-p 127.0.0.1:{host.port}:5000", f"--network host {option}")
        return f"{text} Http:Host=127.0.0.1 Http:Port={host.port}"

    try:
        ended = host.run(line(0, API_KEY=own_shop.disconnected))
        assert ended.code == 0, ended.text
        for counted in (1, 2):
            name, terminal = host.serve(line(1))
            assert "Berlin" in found(host)
            assert used(host) == counted
            assert host.stop(name, terminal).code == 0
    finally:
        host.close()
