"""Nothing is lost by a volume that was left out, and who owns a directory is said in one line."""

from tests.system.container.host import Host
from tests.system.container.test_text_lines import DISCONNECTED, ask, download, found


def without_output(host: Host) -> str:
    return host.line(DISCONNECTED, 1).replace(f"-v {host.home}/output:/output", "").replace("\\\n   \\", "\\")


def one_line(text: str) -> str:
    """What was refused: an error and a hint, and no traceback."""
    assert "Traceback" not in text
    lines = [line for line in text.splitlines() if line.startswith(("error:", "hint:"))]
    assert len(lines) == 2, text
    return "\n".join(lines)


def test_an_output_that_ends_with_the_container_is_refused_with_the_parameter_to_add(host: Host) -> None:
    download(host)
    for volume in ("", "--tmpfs /output:mode=0777", "-v /output"):
        ended = host.run(without_output(host), volume)
        assert ended.code == 78, ended.text
        assert "-v OUTPUT_PATH:/output" in one_line(ended.text)
        assert "lost with the container" in ended.text


def test_disposable_records_need_a_licence_that_allows_them(host: Host) -> None:
    download(host)
    ended = host.run(without_output(host) + " Output:Disposable=True")
    assert ended.code == 78
    assert "not allowed by the licence" in one_line(ended.text)


def test_a_named_volume_lasts(host: Host) -> None:
    download(host)
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
    download(host)
    for path in [host.home / "license", *(host.home / "license").rglob("*")]:
        path.chmod(0o2770 if path.is_dir() else 0o660)
    host.serve(host.line(DISCONNECTED, 1))
    assert ask(host).status_code == 200


def test_a_read_only_root_with_no_capability_serves(host: Host) -> None:
    download(host)
    host.serve(host.line(DISCONNECTED, 1), "--read-only --tmpfs /tmp --cap-drop ALL")
    assert "Berlin" in found(host)
