"""`appliance models quantize`: 8-bit weights, kept only where they cost little accuracy on labelled text."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from appliance.datasets.document import LabelledDocument
from appliance.errors import ModelError
from appliance.host.filesystem import remove_tree
from appliance.ner.manifest import describe, write_components, write_manifest
from appliance.ner.model_folder import CONFIG, MODEL, TOKENIZER, ModelFolder
from appliance.onnx_tools.inspect import read_graph
from appliance.onnx_tools.quantization import TOLERATED, eight_bit
from appliance.training.evaluation.examine import Answers, examine
from appliance.training.evaluation.scoring import Scores
from license.files import require_room


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of the two models: its size in bytes, its scores, its speed in tokens a second."""

    bytes: int
    scores: Scores
    answers: Answers

    @property
    def speed(self) -> float:
        """Tokens a second, one session."""
        return self.answers.tokens / self.answers.seconds if self.answers.seconds else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Both models on the same labelled text; `kept` says whether the small one was written."""

    before: Side
    after: Side
    kept: bool

    @property
    def loss(self) -> float:
        """F1 lost by 8 bits, 0…1; negative where they are better."""
        return self.before.scores.micro.f1 - self.after.scores.micro.f1


def quantize(
    folder: ModelFolder,
    out: Path,
    documents: Sequence[LabelledDocument],
    *,
    tolerated: float = TOLERATED,
    tell: Callable[[str], None] = lambda _: None,
) -> Comparison:
    """Write an 8-bit copy of a model folder, unless it loses more F1 than is tolerated.

    Args:
        folder: A float32 model.
        out: A new folder; it holds the 8-bit model afterwards, or is not made.
        documents: Labelled text to measure both on.
        tolerated: The most F1 that may be lost, 0…1.
        tell: Hears what is being done.

    Raises:
        ModelError: The model holds no float32 weights, finds nothing in `documents`, or `out`
            exists.
        NoRoom: The disk is too full for it.
    """
    if out.exists():
        raise ModelError(f"{out} is there already", hint="name a new folder")
    tell("writing 8-bit weights")
    rewritten = eight_bit(folder.read(MODEL))
    require_room(out.parent, len(rewritten.model) + len(folder.read(TOKENIZER)), f"the 8-bit model {out}")
    tell("measuring the model as it is")
    before, answers = examine(folder, documents)
    if not before.micro.right:
        raise ModelError(
            f"the model finds none of the {before.micro.labelled} labelled entities, so what 8 bits cost"
            " cannot be measured on them",
            hint=f"label text with what this model finds: {', '.join(folder.categories)}",
        )
    first = Side(bytes=(folder.path / MODEL).stat().st_size, scores=before, answers=answers)
    staged = out.with_name(f".{out.name}.part")
    remove_tree(staged)
    try:
        staged.mkdir(parents=True)
        (staged / MODEL).write_bytes(rewritten.model)
        for name in (TOKENIZER, CONFIG):
            (staged / name).write_bytes(folder.read(name))
        apart = not read_graph(folder.read(MODEL)).reads_padding
        described = describe(folder, batch_invariant=apart, quantized="8 bits, one scale a token")
        write_manifest(staged, write_components(staged, folder.components, described))
        tell("measuring the 8-bit model")
        after, answers = examine(ModelFolder.open(staged), documents)
        second = Side(bytes=len(rewritten.model), scores=after, answers=answers)
        kept = before.micro.f1 - after.micro.f1 <= tolerated
        if kept:
            _texts(folder.path, staged)
            staged.rename(out)
    except OSError as error:
        raise ModelError(f"cannot write {out}: {error.strerror}") from error
    finally:
        remove_tree(staged)
    return Comparison(before=first, after=second, kept=kept)


def _texts(source: Path, target: Path) -> None:
    """Let the model card and licence texts travel along."""
    for path in source.iterdir():
        if path.suffix.lower() in (".md", "") and path.is_file() and not path.is_symlink():
            shutil.copyfile(path, target / path.name)
