"""The encoder that `--base` names."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from appliance.training.base.open_base import Base

AUTO: Final = "auto"
BASE_HELP: Final = (
    "Encoder to start from: en or multi (bundled), auto (the better of these for the documents), or the"
    " folder of another: BERT, RoBERTa, XLM-R, DistilBERT."
)


@contextlib.contextmanager
def opened_encoder(name: str) -> Iterator["Base"]:
    """Open a bundled encoder (`en` or `multi`), or the folder of another, until the end of the block.

    Raises:
        DatasetError, ModelError: The folder holds none that can be used.
    """
    from appliance.training.base.open_base import BUNDLED, bundled_base, open_base

    if name in BUNDLED:
        yield bundled_base(name)
        return
    with tempfile.TemporaryDirectory(prefix="base-") as place:
        click.echo(f"reading the encoder {name}", err=True)
        yield open_base(Path(name), Path(place) / "base")
