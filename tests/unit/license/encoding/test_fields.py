import re

import pytest

from license.encoding.fields import LINE, METER, RELEASE, TOKEN, check_text, typed
from license.errors import Malformed, NeedsNewerVersion


@pytest.mark.parametrize(
    ("value", "pattern", "rule"),
    [
        ("a b", TOKEN, "use lower-case letters, digits, `.` `_` `-`, without spaces"),
        ("ner-en", LINE, "a model line is a name, a slash and a number, such as ner-en/3"),
        ("1 0", RELEASE, "use lower-case letters, digits, `.` `_` `-`, such as 1.0.2"),
        ("Some Meter", METER, "use letters, digits and dots, without spaces"),
    ],
)
def test_a_typed_name_is_refused_with_its_rule(value: str, pattern: re.Pattern[str], rule: str) -> None:
    with pytest.raises(Malformed) as caught, typed():
        check_text("the name", value, pattern=pattern)
    assert caught.value.message == f"the name is not well formed: {value!r}"
    assert caught.value.hint == rule


def test_the_same_name_in_a_file_means_a_damaged_file() -> None:
    with pytest.raises(Malformed) as caught:
        check_text("the name", "a b", pattern=TOKEN)
    assert caught.value.hint.startswith("copy the file again")


def test_a_refusal_that_has_its_own_advice_keeps_it() -> None:
    with pytest.raises(Malformed, match="twice") as caught, typed("look here"):
        raise Malformed("it is named twice", hint="name it once")
    assert caught.value.hint == "name it once"
    with pytest.raises(NeedsNewerVersion), typed("look here"):
        raise NeedsNewerVersion("it is newer")
