"""F1 of a model that is compared with others, on training documents held back."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from appliance.datasets.document import LabelledDocument
from appliance.training.base.open_base import Base
from appliance.training.choice import Candidate
from appliance.training.evaluation.examine import answers, requests_of
from appliance.training.evaluation.scoring import score
from appliance.training.model_writer import About, write_folder


def measure_candidate(
    base: Base,
    graph: bytes,
    labels: Sequence[str],
    held: Sequence[LabelledDocument],
    *,
    quality: str,
    precision: str,
    place: Path,
) -> Candidate:
    """Examine a model as it would be served, and leave nothing of it behind.

    Args:
        base: What it was trained from.
        graph: The bytes of its graph.
        labels: Of the model.
        held: What it is asked.
        quality, precision: How it was made.
        place: A folder, made where it is missing, in which it lies for a while.

    Raises:
        DatasetError: It cannot be written there.
    """
    about = About(
        name="candidate",
        release="1",
        language="",
        quality=quality,
        how="",
        split="",
        documents=(0, len(held)),
        encoder="",
        seconds=0.0,
    )
    place.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place, prefix=".candidate-") as folder:
        written = write_folder(Path(folder) / "model", base.folder, graph, labels, about)
        found = answers(written, requests_of(held)).found
    pairs = zip(held, found, strict=True)
    return Candidate(
        quality=quality,
        precision=precision,
        counts=tuple(score([(document.labels, labels)]).micro for document, labels in pairs),
    )
