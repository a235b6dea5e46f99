"""The table of settings has each of them once, with its default as one would type it."""

import dataclasses

from appliance.config.setting_table import describe
from appliance.config.settings import Settings


def test_each_setting_is_listed_once_with_a_help_line() -> None:
    rows = describe()
    keys = [key for key, _, _ in rows]
    assert len(keys) == len(set(keys))
    assert {entry.metadata["key"] for entry in dataclasses.fields(Settings) if entry.metadata} <= set(keys)
    assert all(text for _, _, text in rows)


def test_defaults_are_what_one_would_type() -> None:
    defaults = {key: default for key, default, _ in describe()}
    assert (defaults["Service"], defaults["Models:Speech"], defaults["Mounts:Model"]) == (
        "customner", "both", "",
    )  # fmt: skip
    words = [f"{key}={default}" for key, default in defaults.items() if default and not key.endswith(":NAME")]
    assert not Settings.read(words, {}).unknown


def test_no_setting_names_a_trust_root() -> None:
    assert not [key for key, _, _ in describe() if "root" in key.lower()]
