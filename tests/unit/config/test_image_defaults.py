from pathlib import Path

from appliance.config.image_defaults import read_settings


def image(place: Path) -> dict[str, str]:
    for name in ("license", "output"):
        (place / name).mkdir(exist_ok=True)
    return {
        "Image__License": str(place / "license"),
        "Image__Output": str(place / "output"),
        "Image__State": str(place / "state"),
    }


def test_endpoint_and_key_ask_for_a_connected_run_whatever_directories_the_image_has(tmp_path: Path) -> None:
    settings = read_settings(["Billing=https://e", "ApiKey=k"], image(tmp_path))
    assert settings.connected
    assert settings.output_mount is None


def test_a_licence_that_is_there_makes_it_a_disconnected_one(tmp_path: Path) -> None:
    environ = image(tmp_path)
    (tmp_path / "license/license.note").touch()
    settings = read_settings(["Billing=https://e", "ApiKey=k"], environ)
    assert not settings.connected
    assert settings.license_mount == tmp_path / "license"
    assert settings.output_mount == tmp_path / "output"


def test_without_them_it_is_disconnected_and_what_was_said_comes_first(tmp_path: Path) -> None:
    settings = read_settings(["Mounts:Output=/elsewhere"], image(tmp_path))
    assert not settings.connected
    assert settings.license_mount == tmp_path / "license"
    assert settings.output_mount == Path("/elsewhere")


def test_a_download_saves_where_the_image_looks(tmp_path: Path) -> None:
    settings = read_settings(["DownloadLicense=True", "Billing=https://e", "ApiKey=k"], image(tmp_path))
    assert settings.license_mount == tmp_path / "license"


def test_outside_of_an_image_nothing_is_added() -> None:
    settings = read_settings([], {})
    assert (settings.license_mount, settings.output_mount) == (None, None)
