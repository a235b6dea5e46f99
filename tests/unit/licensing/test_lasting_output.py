"""Outside of an image nothing is refused; `tests/system/container/test_volumes.py` tries it inside of one."""

from pathlib import Path

import pytest

from appliance.config.settings import Settings
from appliance.errors import OutputError, SettingsError
from appliance.licensing.lasting_output import (
    DISPOSABLE,
    require_disposable,
    require_lasting_license,
    require_lasting_output,
)
from tests.unit.license.licenses.test_license import licence

VOLATILE = Path("/dev/shm")  # noqa: S108 (a tmpfs on every Linux)


def image(*words: str) -> Settings:
    return Settings.read(
        [f"Mounts:Output={VOLATILE}", "Image:Output=/output", "Image:License=/l", *words], {}
    )


def test_a_tmpfs_is_refused_in_an_image_and_nowhere_else() -> None:
    with pytest.raises(OutputError, match="lost with the container") as refused:
        require_lasting_output(image())
    assert "-v OUTPUT_PATH:/dev/shm" in (refused.value.hint or "")
    require_lasting_output(Settings.read([f"Mounts:Output={VOLATILE}"], {}))


def test_disposable_records_are_a_word_of_the_run_and_of_the_licence() -> None:
    settings = image("Output:Disposable=True")
    require_lasting_output(settings)
    with pytest.raises(SettingsError, match="not allowed by the licence"):
        require_disposable(settings, licence())
    require_disposable(settings, licence(features=(DISPOSABLE,)))


def test_a_licence_is_not_saved_where_it_ends_with_the_container() -> None:
    with pytest.raises(SettingsError, match="the licence would be lost"):
        require_lasting_license(image(), VOLATILE)
    require_lasting_license(Settings.read([], {}), VOLATILE)
