"""A trained model as a folder: graph, tokenizer, configuration, `model.json`, model card, evaluation."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from appliance.datasets.components.components import NO_COMPONENTS, Components
from appliance.datasets.label_errors import DatasetError
from appliance.ner.manifest import describe, write_components, write_manifest
from appliance.ner.model_folder import CONFIG, MODEL, TOKENIZER, ModelFolder
from appliance.training.evaluation.scoring import Scores

EVALUATION: Final = "evaluation.json"
CARD: Final = "MODEL_CARD.md"
METER: Final = "CognitiveServices.Ner.Container.TextRecords"


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What a model card says besides the scores.

    Attributes:
        name: Name of the model.
        release: Its version.
        language: BCP 47 tag, or `multilingual`.
        languages: Tags of all languages that the training documents are in, where there are several.
        quality: `fast` or `best`.
        how: How it was trained, in a few words.
        split: Who decided which documents examine.
        documents: Documents it learnt from, and documents it was examined on.
        encoder: What it started from, and under which licence.
        seconds: Training time.
        components: What finds entities besides the network.
    """

    name: str
    release: str
    language: str
    quality: str
    how: str
    split: str
    documents: tuple[int, int]
    encoder: str
    seconds: float
    components: Components = NO_COMPONENTS
    languages: tuple[str, ...] = ()


def write_folder(
    out: Path, base: ModelFolder, model: bytes, labels: Sequence[str], about: About
) -> ModelFolder:
    """Write the files that serving needs into a new folder, and open it.

    Raises:
        DatasetError: The folder cannot be written, or holds something already.
    """
    config: dict[str, Any] = json.loads(base.read(CONFIG))
    config["id2label"] = {str(number): label for number, label in enumerate(labels)}
    config["label2id"] = {label: number for number, label in enumerate(labels)}
    try:
        out.mkdir(parents=True, exist_ok=True)
        if any(out.iterdir()):
            raise DatasetError(f"{out} is not empty", hint="name a new folder with --out")
        (out / MODEL).write_bytes(model)
        (out / TOKENIZER).write_bytes(base.read(TOKENIZER))
        (out / CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
        described = describe(
            base,
            name=about.name,
            line="",
            release=about.release,
            language=about.language,
            languages=list(about.languages),
            description=f"Custom model, quality {about.quality}, {about.documents[0]} documents",
            meters=[METER],
            decoding={"scheme": "BIO", "aggregation": "first", "words": base.words},
            batch_invariant=True,
        )
        write_manifest(out, write_components(out, about.components, described))
    except OSError as error:
        raise DatasetError(f"cannot write {out}: {error.strerror}") from error
    return ModelFolder.open(out)


def write_evaluation(out: Path, evaluation: dict[str, Any]) -> None:
    """Write `evaluation.json`; readable by the owner only, since it quotes the test documents."""
    path = out / EVALUATION
    path.write_text(json.dumps(evaluation, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    path.chmod(0o600)


def write_card(out: Path, about: About, scores: Scores, now: float) -> None:
    """Write the model card; it holds no text of any document."""
    rows = "\n".join(
        f"| {name} | {100 * score.precision:.1f} | {100 * score.recall:.1f} | {100 * score.f1:.1f} |"
        f" {score.labelled} |"
        for name, score in [*scores.categories.items(), ("**all**", scores.micro)]
    )
    day = time.strftime("%Y-%m-%d", time.gmtime(now))
    (out / CARD).write_text(
        f"""# {about.name} {about.release}

Custom named entity recognition, trained {day} on this installation, without network.

- **Categories:** {", ".join(scores.categories)}
- **Language:** {about.language or "not stated"}
- **Quality:** {about.quality} ({about.how})
- **Learnt from:** {about.documents[0]} documents; examined on {about.documents[1]} others, {about.split}
- **Training time:** {about.seconds:.0f} seconds
- **Encoder:** {about.encoder}

| category | precision | recall | F1 | support |
|---|---|---|---|---|
{rows}

An entity counts when both its ends and its category are right. Categories with few examples in the test have
figures of little certainty. The model knows what its documents showed: on text of another kind it is worse,
and how much worse only a test on such text can tell.
""",
        encoding="utf-8",
    )
