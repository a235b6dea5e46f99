"""The encoder that `--base` names."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from appliance.training.base.open_base import Base


@contextlib.contextmanager
def opened_encoder(name: str) -> Iterator["Base"]:
    """Open the bundled encoder (`en`), or the folder of another, until the end of the block.

    Raises:
        DatasetError, ModelError: The folder holds none that can be used.
    """
    from appliance.training.base.open_base import bundled_base, open_base

    if name == "en":
        yield bundled_base()
        return
    with tempfile.TemporaryDirectory(prefix="base-") as place:
        click.echo(f"reading the encoder {name}", err=True)
        yield open_base(Path(name), Path(place) / "base")
