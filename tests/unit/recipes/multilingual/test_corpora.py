from pathlib import Path

import pytest

from recipes.multilingual.corpora import read_texts
from recipes.ner.corpora import Span

FILE = """# text = 王明在北京。
王明\tB-PER
在\tO
北京\tB-LOC
。\tO

# text = Ana i "Nova TV".
Ana\tB-PER
i\tO
"\tO
Nova\tB-ORG
TV\tI-ORG
"\tO
.\tO
"""


def test_names_are_found_in_the_text_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "dev.conll"
    path.write_text(FILE, encoding="utf-8")
    first, second = read_texts(path, "zh")
    assert first.spans == (Span(0, 2, "Person"), Span(3, 5, "Location"))
    assert [second.text[span.start : span.end] for span in second.spans] == ["Ana", "Nova TV"]


def test_a_token_that_is_not_in_its_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "dev.conll"
    path.write_text("# text = Ana\nEva\tB-PER\n", encoding="utf-8")
    with pytest.raises(ValueError, match="substring not found"):
        list(read_texts(path, "hr"))
