"""The README: what it shows, and what it claims of the bundled parts."""

import json
import re
import tomllib

from tests.support.paths import ROOT

PAGE = (ROOT / "README.md").read_text("utf-8")


def test_the_screenshot_is_a_small_png() -> None:
    (name,) = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", PAGE)
    image = (ROOT / name).read_bytes()
    assert image.startswith(b"\x89PNG\r\n\x1a\n")
    assert len(image) < 150_000


def test_the_readme_is_short() -> None:
    assert len(PAGE.splitlines()) <= 80


def test_the_python_it_asks_for_is_that_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert f"Python {project['requires-python'].removeprefix('>=')} or newer" in PAGE


def test_the_bundled_speech_model_is_as_large_as_it_says() -> None:
    folder = ROOT / "appliance" / "bundled" / "speech-en"
    size = (folder / "model.onnx").stat().st_size
    assert f"one of {size / 1e6:.1f} MB" in PAGE.replace("\n", " ")
    assert json.loads((folder / "model.json").read_text())["task"] == "speech-ctc"
