"""Opening what a person names as a model: a folder as it is served, or any export that `add` would take."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from appliance.ner.model_folder import CONFIG, MODEL, TOKENIZER, ModelFolder
from appliance.registry.importer import import_model


@contextlib.contextmanager
def open_source(source: Path) -> Iterator[ModelFolder]:
    """Open a folder or a ZIP archive; what has to be rearranged is copied to a folder of its own first.

    Args:
        source: A model folder, an export, or a ZIP archive of either.

    Raises:
        ModelError: It is refused; the message says why.
        NoRoom: The disk is too full for the copy.
    """
    if all((source / name).is_file() for name in (MODEL, TOKENIZER, CONFIG)) and not _has_data(source):
        yield ModelFolder.open(source)
        return
    with tempfile.TemporaryDirectory(prefix="model-") as place:
        folder = Path(place) / source.resolve().name.removesuffix(".zip")
        folder.mkdir()
        import_model(source, folder)
        yield ModelFolder.open(folder)


def _has_data(folder: Path) -> bool:
    return any(".onnx" in path.name and path.suffix != ".onnx" for path in folder.iterdir())
