"""`appliance dataset check` reports on any label file as text, JSON and a page; its status is a verdict."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from appliance.cli.main import main
from tests.unit.datasets.formats.samples import SAMPLES

NAMES = ("Anna Lee", "Bob Ray", "Carl Orf", "Dora Fox")


def check(*words: str | Path) -> Result:
    return CliRunner().invoke(main, ["dataset", "check", *map(str, words)])


def rows(first: int, count: int) -> str:
    return "".join(
        json.dumps(
            {"text": f"{NAMES[n % 4]} {n} sent letter {n}.", "entities": [[0, len(NAMES[n % 4]), "PER"]]}
        )
        + "\n"
        for n in range(first, first + count)
    )


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    train, test = tmp_path / "train.jsonl", tmp_path / "test.jsonl"
    train.write_text(rows(0, 40))
    test.write_text(rows(100, 20))
    return train, test


def test_files_that_nothing_hinders_end_with_status_0(files: tuple[Path, Path]) -> None:
    done = check("--train", files[0], "--test", files[1])
    assert done.exit_code == 0, done.output
    assert "60 documents, 60 labels, 1 category: no mistake" in done.stdout
    assert "40 documents to learn from, 20 for the test" in done.stdout
    assert "language en: 60 documents, 0.0% of the tokens unknown" in done.stdout


def test_a_test_file_that_is_learnt_from_ends_with_status_1_and_says_which(files: tuple[Path, Path]) -> None:
    done = check("--train", files[0], "--test", files[0])
    assert done.exit_code == 1
    assert "hinders: 40 of 40 test documents (100%)" in done.stdout
    assert "training is hindered: 40 of 40 test documents" in done.stderr


def test_several_files_are_checked_together_and_read_as_convert_reads_them(files: tuple[Path, Path]) -> None:
    done = check(*files, "--from", "jsonl", "--offset-unit", "code-points", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["texts"] == 60


@pytest.mark.parametrize("name", SAMPLES)
def test_every_format_is_checked(name: str, tmp_path: Path) -> None:
    location, data = SAMPLES[name]
    (tmp_path / location).write_bytes(data if isinstance(data, bytes) else data.encode())
    done = check(tmp_path / location, "--json")
    assert done.exit_code in {0, 1}, done.output
    if done.exit_code == 0 or "mistakes" not in done.stderr:
        assert json.loads(done.stdout)["mistakes"] == []


def test_json_tells_programs_all_of_it(files: tuple[Path, Path]) -> None:
    found = json.loads(check("--train", files[0], "--test", files[0], "--json").stdout)
    assert found["hindered"] is True
    assert found["by_category"] == {"PER": {"labels": 80, "documents": 80, "train": 40, "test": 40}}
    assert found["leaked_count"] == 40
    assert found["findings"][0]["code"] == "Leakage"
    assert found["languages"]["en"]["unknown_share"] == 0


def test_the_page_loads_nothing_runs_nothing_and_quotes_safely(tmp_path: Path) -> None:
    text = "<script>alert(1)</script> & sent it"
    file = tmp_path / "a.jsonl"
    file.write_text(
        "".join(f'{{"text": "{text} {n}", "entities": [[8, 16, "<b>{n % 2}</b>"]]}}\n' for n in range(20))
    )
    done = check(file, "--html", tmp_path / "check.html")
    page = (tmp_path / "check.html").read_text()
    assert "&lt;b&gt;0&lt;/b&gt;" in page
    assert "<script" not in page
    assert "<b>0" not in page
    assert "default-src 'none'" in page
    assert (tmp_path / "check.html").stat().st_mode & 0o777 == 0o600
    assert "Traceback" not in done.output


def test_wrong_labels_are_listed_with_or_without_json(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "Anna", "entities": [[0, 40, "PER"]]}\n')
    assert check(tmp_path / "a.jsonl").exit_code == 1
    done = check(tmp_path / "a.jsonl", "--json")
    assert done.exit_code == 1
    assert len(json.loads(done.stdout)["mistakes"]) == 1


def test_no_file_is_refused() -> None:
    done = check()
    assert done.exit_code == 1
    assert "no labelled file is given" in done.stderr
