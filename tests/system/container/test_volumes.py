"""Nothing is lost by a volume that was left out, and who owns a directory is said in one line."""

import os

import pytest

from appliance.config.products import CUSTOM_NER
from appliance.licensing.lasting_output import DISPOSABLE
from license.authority.authority import Authority
from license.authority.issuing.issue import Terms
from tests.system.container.host import USER, Host
from tests.system.container.test_text_lines import DISCONNECTED, ask, found, used


def without_output(host: Host) -> str:
    return host.line(DISCONNECTED, 1).replace(f"-v {host.home}/output:/output", "").replace("\\\n   \\", "\\")


def one_line(text: str) -> str:
    """What was refused: an error and a hint, and no traceback."""
    assert "Traceback" not in text
    lines = [line for line in text.splitlines() if line.startswith(("error:", "hint:"))]
    assert len(lines) == 2, text
    return "\n".join(lines)


def test_an_output_that_ends_with_the_container_is_refused_with_the_parameter_to_add(host: Host) -> None:
    host.license()
    for volume in ("", "--tmpfs /output:mode=0777", "-v /output"):
        ended = host.run(without_output(host), volume)
        assert ended.code == 78, ended.text
        assert "-v OUTPUT_PATH:/output" in one_line(ended.text)
        assert "lost with the container" in ended.text


def test_disposable_records_need_a_licence_that_allows_them(host: Host) -> None:
    host.license()
    ended = host.run(without_output(host) + " Output:Disposable=True")
    assert ended.code == 78
    assert "not allowed by the licence" in one_line(ended.text)


def test_disposable_records_are_allowed_by_a_licence_that_says_so(host: Host, vendor: Authority) -> None:
    """The vendor answers a request note; what is served without a volume counts from zero each time."""
    image, volume = host.images["text"], f"-v {host.home}/license:/license"
    asked = host.run(
        f"docker run --rm {volume} {image} license request -o /license/request.note Mounts:License=/license"
    )
    assert asked.code == 0, asked.text
    resource = vendor.create_resource(
        f"demo-{host.port}", customer="Acme Ltd", meters={CUSTOM_NER.meter: 1_000}
    ).resource
    note = (host.home / "license/request.note").read_bytes()
    issued = vendor.issue(resource, note, terms=Terms(features=(DISPOSABLE,)))
    (host.home / "license/license.note").write_bytes(issued.note)
    (host.home / "license/issuer.note").write_bytes(issued.issuer_note)
    for path in (host.home / "license").glob("*.note"):
        os.chown(path, USER, USER)
    for _ in range(2):
        name, terminal = host.serve(without_output(host) + " Output:Disposable=True")
        found(host)
        assert used(host) == 1
        assert "usage records are disposable and end with the container" in terminal.text()
        assert host.stop(name, terminal).code == 0
    still = host.run(without_output(host))
    assert still.code == 78, "what the licence allows must be asked for"
    assert "lost with the container" in one_line(still.text)


@pytest.mark.parametrize(
    "user", [pytest.param(USER, id="fsGroup"), pytest.param(0, id="root", marks=pytest.mark.slow)]
)
def test_roots_of_a_config_map_are_trusted(host: Host, vendor: Authority, user: int) -> None:
    """A ConfigMap is read-only, of root and the pod's group, which may write each file by its mode."""
    place = host.directory("roots", owner=0, mode=0o2775)
    data = host.directory("roots/..2026_11_29", owner=0, mode=0o2775)
    for key in vendor.roots_dir.glob("*.vkey"):
        (data / key.name).write_bytes(key.read_bytes())
        (data / key.name).chmod(0o660)
        (place / key.name).symlink_to(f"..data/{key.name}")
    (place / "..data").symlink_to(data.name)
    for path in (place, data, *data.iterdir()):
        os.chown(path, 0, USER)
    for name in ("license", "output"):
        host.directory(name, owner=user)
    more = f"--user {user}:{USER} -v {place}:/etc/appliance/roots.d:ro"
    # The image as it is made, without any vendor's roots.
    line = host.line(DISCONNECTED, 0, API_KEY=host.shop.disconnected, IMAGE=host.images["plain"])
    ended = host.run(line, more)
    assert ended.code == 0, ended.text
    name, terminal = host.serve(host.line(DISCONNECTED, 1, IMAGE=host.images["plain"]), more)
    assert "Berlin" in found(host)
    host.stop(name, terminal)
    writable = host.run(
        host.line(DISCONNECTED, 1, IMAGE=host.images["plain"]), more.replace("roots.d:ro", "roots.d")
    )
    assert "could change" in one_line(writable.text)


def test_a_named_volume_lasts(host: Host) -> None:
    host.license()
    name = f"oa-{host.port}"
    try:
        host.serve(host.line(DISCONNECTED, 1, OUTPUT_PATH=name))
        found(host)
    finally:
        host.close()
        host.engine.run("volume", "rm", "--force", name, check=False)


def test_a_licence_is_not_downloaded_into_a_container_s_own_layer(host: Host) -> None:
    line = host.line(DISCONNECTED, 0, API_KEY=host.shop.disconnected)
    ended = host.run(line.replace(f"-v {host.home}/license:/license", ""))
    assert ended.code == 78, ended.text
    assert "-v LICENSE_PATH:/license" in one_line(ended.text)


def test_a_directory_of_somebody_else_is_refused_with_the_command_that_gives_it(host: Host) -> None:
    host.directory("license", owner=0)
    ended = host.run(host.line(DISCONNECTED, 0, API_KEY=host.shop.disconnected))
    assert ended.code != 0
    assert "sudo chown 10001:10001 DIRECTORY    # the one that is mounted at /license" in one_line(ended.text)


def test_a_licence_directory_that_is_not_there_has_the_documented_sentence(host: Host) -> None:
    line = host.line(DISCONNECTED, 1).replace("Mounts:License=/license", "Mounts:License=/elsewhere")
    ended = host.run(line)
    assert ended.code == 78
    assert "The provided license path was not found" in one_line(ended.text)


def test_an_arbitrary_user_of_group_0_serves(host: Host) -> None:
    """As OpenShift runs every image: a number nobody knows, in group 0."""
    for name in ("license", "output"):
        host.directory(name, owner=1000730000)
    user = "--user 1000730000:0"
    ended = host.run(host.line(DISCONNECTED, 0, API_KEY=host.shop.disconnected), user)
    assert ended.code == 0, ended.text
    host.serve(host.line(DISCONNECTED, 1), user)
    assert "Berlin" in found(host)


def test_root_serves(host: Host) -> None:
    for name in ("license", "output"):
        host.directory(name, owner=0)
    ended = host.run(host.line(DISCONNECTED, 0, API_KEY=host.shop.disconnected), "--user 0")
    assert ended.code == 0, ended.text
    host.serve(host.line(DISCONNECTED, 1), "--user 0")
    assert "Berlin" in found(host)


def test_the_files_of_a_pod_belong_to_its_group(host: Host) -> None:
    """As fsGroup leaves them: every file may be written by the group, every directory has its bit."""
    host.license()
    for path in [host.home / "license", *(host.home / "license").rglob("*")]:
        path.chmod(0o2770 if path.is_dir() else 0o660)
    host.serve(host.line(DISCONNECTED, 1))
    assert ask(host).status_code == 200


def test_a_read_only_root_with_no_capability_serves(host: Host) -> None:
    host.license()
    host.serve(host.line(DISCONNECTED, 1), "--read-only --tmpfs /tmp --cap-drop ALL")
    assert "Berlin" in found(host)
