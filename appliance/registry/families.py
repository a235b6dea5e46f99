"""Which family of models a folder is of, and what must fit together before it is tried."""

import json
from dataclasses import dataclass
from typing import Any, Final

from appliance.errors import ModelError
from appliance.ner.model_folder import CONFIG, TOKENIZER, ModelFolder
from appliance.ner.tokenizer import tokenizer_of

TESTED: Final = {
    "albert": "ALBERT",
    "bert": "BERT",
    "camembert": "CamemBERT",
    "convbert": "ConvBERT",
    "deberta": "DeBERTa",
    "deberta-v2": "DeBERTa v2/v3",
    "distilbert": "DistilBERT",
    "electra": "ELECTRA",
    "mobilebert": "MobileBERT",
    "modernbert": "ModernBERT",
    "mpnet": "MPNet",
    "roberta": "RoBERTa",
    "roformer": "RoFormer",
    "xlm-roberta": "XLM-RoBERTa",
}
"""`model_type` of the families whose answers are compared with transformers' in the tests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFamily:
    """The family of a model: `model_type` of its configuration, and whether it is one of those tested."""

    kind: str
    name: str
    tested: bool


def family_of(folder: ModelFolder) -> ModelFamily:
    """Name the family of a checked folder, and check that tokenizer and embeddings belong together.

    Raises:
        ModelError: The tokenizer cannot be read, or gives numbers that the model has no embedding for.
    """
    config: dict[str, Any] = json.loads(folder.read(CONFIG))
    kind = str(config.get("model_type", ""))
    rows = config.get("vocab_size")
    tokenizer = tokenizer_of(folder)
    highest = tokenizer.vocabulary - 1
    if isinstance(rows, int) and highest >= rows:
        raise ModelError(
            f"{TOKENIZER} gives token numbers up to {highest}, but the model has {rows} embeddings:"
            " they are of two different models",
            hint="take both files from the same export",
        )
    return ModelFamily(kind=kind, name=TESTED.get(kind, kind or "unknown"), tested=kind in TESTED)
