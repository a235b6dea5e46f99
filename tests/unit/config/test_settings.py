from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.config.command_line import command_line_pairs
from appliance.config.settings import Settings
from appliance.errors import SettingsError
from tests.support.paths import ROOT


@pytest.mark.parametrize(
    "args",
    [
        ["Mounts:License=/license"],
        ["MOUNTS:license=/license"],
        ["--Mounts:License=/license"],
        ["--mounts:license", "/license"],
        ["/Mounts:License=/license"],
        ["/Mounts:License", "/license"],
    ],
)
def test_every_documented_form_of_a_setting_is_read(args: list[str]) -> None:
    assert str(Settings.read(args, {}).license_mount) == "/license"


@pytest.mark.parametrize("name", ["Mounts__License", "MOUNTS__LICENSE", "Mounts:License", "mounts__license"])
def test_the_environment_is_read_in_any_case_and_with_either_separator(name: str) -> None:
    assert str(Settings.read([], {name: "/license"}).license_mount) == "/license"


def test_the_command_line_wins_over_the_environment() -> None:
    assert Settings.read(["Http:Port=5001"], {"Http__Port": "5002"}).port == 5001


def test_the_last_duplicate_on_the_command_line_wins() -> None:
    assert Settings.read(["Http:Port=5001", "--http:port", "5003"], {}).port == 5003


def test_only_the_first_equals_sign_splits() -> None:
    assert Settings.read(["Billing=https://h/?a=b=c"], {}).billing == "https://h/?a=b=c"


def test_an_empty_value_is_the_empty_string() -> None:
    assert Settings.read(["Billing="], {"Billing": "x"}).billing == ""


def test_bare_words_and_single_dash_words_without_equals_are_ignored() -> None:
    assert list(command_line_pairs(["FullDisplay", "-x", "Eula=accept"])) == [("Eula", "accept")]


def test_a_single_dash_with_equals_is_refused_as_dotnet_does() -> None:
    with pytest.raises(SettingsError, match="one dash"):
        Settings.read(["-Eula=accept"], {})


def test_unknown_keys_are_kept_for_one_warning_and_inert_keys_are_told_apart() -> None:
    settings = Settings.read(["Nonsense=1", "Fluentd:Host=h", "HTTP_PROXY=http://p", "nonsense=2"], {})
    assert settings.unknown == ("Nonsense", "nonsense")
    assert settings.inert == ("Fluentd:Host", "HTTP_PROXY")


@pytest.mark.parametrize("value", ["accept", "Accept", "ACCEPT"])
def test_the_eula_is_accepted_in_any_case(value: str) -> None:
    Settings.read([f"EULA={value}"], {}).require_eula()


@pytest.mark.parametrize("args", [[], ["Eula="], ["Eula=yes"], ["Eula=accept2"]])
def test_a_missing_or_wrong_eula_is_refused_with_the_documented_sentence(args: list[str]) -> None:
    with pytest.raises(SettingsError, match="Missing EULA=accept command line option") as caught:
        Settings.read(args, {}).require_eula()
    assert caught.value.hint == f"read {ROOT / 'LICENSE.md'}, then add Eula=accept"


@pytest.mark.parametrize("value", ["True", "true", "TRUE", "1"])
def test_booleans_are_read_in_any_case(value: str) -> None:
    assert Settings.read([f"DownloadLicense={value}"], {}).download_license


def test_a_wrong_value_names_the_setting_the_value_and_what_is_expected() -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.read(["Http:Port=many"], {})
    assert "Http:Port" in caught.value.message
    assert "'many'" in caught.value.message
    assert "whole number from 0 to 65535" in caught.value.message


@given(st.lists(st.text(max_size=12), max_size=6))
def test_any_words_are_read_or_refused_by_name(words: list[str]) -> None:
    try:
        Settings.read(words, {})
    except SettingsError as error:
        assert error.message


OPERATOR = "0123456789abcdef"


def test_operators_have_keys_of_their_own_by_name_or_from_a_file(tmp_path: Path) -> None:
    keys = tmp_path / "operators"
    keys.write_text(f"# the night shift\n{OPERATOR}-night\n")
    settings = Settings.read(
        [f"OperatorKeys:Ada={OPERATOR}", "ApiKeys:one=caller"], {"OperatorKeys__File": str(keys)}
    )
    assert settings.operator_keys == (("ada", OPERATOR), ("file, key 1", f"{OPERATOR}-night"))
    assert settings.callers == (("one", "caller"),)
    assert settings.api_keys == ("caller",)
    assert settings.controls_access
    assert not Settings.read([f"OperatorKeys:Ada={OPERATOR}"], {}).controls_access


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["OperatorKeys:Ada="], "expected printable ASCII"),
        (["OperatorKeys:Ada=short"], "has 5 characters"),
        ([f"OperatorKeys:Ada={OPERATOR}", f"ApiKeys:one={OPERATOR}"], "is the key of a caller as well"),
    ],
)
def test_an_operators_key_that_is_weak_or_a_callers_is_refused(words: list[str], said: str) -> None:
    with pytest.raises(SettingsError, match=said) as refused:
        Settings.read(words, {})
    assert "openssl rand -hex 16" in refused.value.hint
    assert OPERATOR not in refused.value.message
