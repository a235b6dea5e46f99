import inspect

from license import errors
from license.errors import LicenseError, LicenseNotFound, WrongProduct

CLASSES = [
    value
    for _, value in inspect.getmembers(errors, inspect.isclass)
    if issubclass(value, LicenseError) and value.__module__ == "license.errors"
]


def test_every_error_has_a_code_of_its_own() -> None:
    codes = [error.code for error in CLASSES]
    assert len(set(codes)) == len(codes)


def test_every_refusal_has_a_next_step() -> None:
    abstract = {"LicenseError", "AuthorityError", "DownloadError"}
    assert [
        error.__name__ for error in CLASSES if not error.default_hint and error.__name__ not in abstract
    ] == []


def test_the_family_tree_names_every_error() -> None:
    assert errors.__doc__ is not None
    assert [error.__name__ for error in CLASSES if error.__name__ not in errors.__doc__] == []


def test_a_missing_licence_says_the_documented_sentence() -> None:
    assert LicenseNotFound().message == (
        "The provided license path was not found. Please ensure a volume is mounted and a directory exists "
        "at the location specified by Mounts:License"
    )


def test_a_licence_of_another_product_names_the_setting() -> None:
    refused = WrongProduct("the licence is for speech, not for ner", licensed="speech", wanted="ner")
    assert refused.hint == "this is a licence for speech: add Service=speechtotext, or use one for ner"
