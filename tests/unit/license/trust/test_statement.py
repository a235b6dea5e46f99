import pytest
from hypothesis import given
from hypothesis import strategies as st

from license.errors import LicenseError, Malformed, NeedsNewerVersion, WrongType
from license.trust.statement import kind_of, parse_statement, render_statement


def test_a_statement_is_readable_text_and_comes_back() -> None:
    text = render_statement("license", {"id": "1", "customer": "Müller & Söhne"})
    assert text == 'offline-appliance/license/v1\n{\n  "id": "1",\n  "customer": "Müller & Söhne"\n}\n'
    assert parse_statement(text, "license") == {"id": "1", "customer": "Müller & Söhne"}
    assert kind_of(text) == "license"


def test_a_statement_of_another_kind_is_not_read() -> None:
    with pytest.raises(WrongType, match="not a license"):
        parse_statement(render_statement("bundle", {"id": "1"}), "license")


@pytest.mark.parametrize(
    "first", ["", "license", "offline-appliance/licenses/v1", " offline-appliance/license/v1"]
)
def test_a_text_without_the_first_line_is_of_the_wrong_type(first: str) -> None:
    with pytest.raises(WrongType):
        parse_statement(first + "\n{}\n", "license")


def test_a_later_version_asks_for_newer_software() -> None:
    with pytest.raises(NeedsNewerVersion):
        parse_statement("offline-appliance/license/v2\n{}\n", "license")


def test_unknown_fields_are_ignored_unless_the_statement_insists() -> None:
    text = render_statement("license", {"id": "1", "new": True})
    assert parse_statement(text, "license")["id"] == "1"
    insisting = render_statement("license", {"id": "1", "new": True, "crit": ["new"]})
    with pytest.raises(NeedsNewerVersion, match="new"):
        parse_statement(insisting, "license", understood=("id",))
    assert parse_statement(insisting, "license", understood=("id", "new"))["new"] is True


@pytest.mark.parametrize("crit", [[], "new", {}, None, [1], ["absent"], [["new"]]])
def test_a_crooked_crit_is_malformed(crit: object) -> None:
    with pytest.raises(Malformed):
        parse_statement(
            render_statement("license", {"new": 1, "crit": crit}), "license", understood=("new", "absent")
        )


@pytest.mark.parametrize(
    "claims", [{"a": 1.5}, {"a": 2**64}, {"a": float("nan")}, {"a": "\ud800"}, {"a": {1}}]
)
def test_what_the_other_side_would_refuse_is_not_rendered(claims: dict[str, object]) -> None:
    with pytest.raises(Malformed):
        render_statement("license", claims)


@given(st.text(max_size=100))
def test_any_text_is_refused_by_name(text: str) -> None:
    with pytest.raises(LicenseError):
        parse_statement("offline-appliance/license/v1\n[" + text, "license")
    assert kind_of(text) is None or text.startswith("offline-appliance/")
