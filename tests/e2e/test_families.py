"""Models of each supported family give the labels that the pipeline of transformers gives.

Tiny networks of random weights, made and exported here. Needs torch and transformers, which are no part of
the development environment.
"""

import importlib.util
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from appliance.datasets.document import Label
from appliance.ner.decoding import trim
from appliance.ner.model_folder import ModelFolder
from appliance.registry.add import add
from appliance.registry.registry import ModelRegistry
from appliance.training.evaluation.examine import answers

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("torch") is None or importlib.util.find_spec("transformers") is None,
        reason="torch and transformers are not installed: pip install torch transformers",
    ),
    pytest.mark.filterwarnings("ignore"),  # of torch and transformers, about themselves
]

LABELS = ("O", "Person", "Place", "Firm", "Thing")
SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 48,
    "initializer_range": 0.6,
}
SIGNS = "'-.%$,"
WORDS = [
    *("Anna", "Böhm", "Zoë", "Ivanov", "O'Neil", "Smith-Jones", "Paris", "Łódź", "München", "NATO", "U.S."),
    *("Contoso", "GmbH", "2023", "3.5%", "$200", "e-mail", "the", "a", "of", "in", "sold", "bought", "at"),
    *("with", "and", "from", "ship", "harbour", "unbelievably", "internationalisation", "x", "y", "日本"),
    *("café", "😀", "ok"),
]


# The mark of a space is never a token of its own here: the pipeline would take the label of the token after
# it, while training labels the first token of a word, and that is what the engine reads.
INITIALS = sorted({part[0] for word in WORDS for part in re.split(r"\b", word) if part} | set(SIGNS))


def sentences(spaced: bool) -> list[str]:
    """Make 200 varied sentences; `spaced` puts a space before every sign of punctuation."""
    random = Random(5)  # noqa: S311
    made = []
    for _ in range(200):
        words = [random.choice(WORDS) for _ in range(random.randint(1, 12))]
        gap = " " if spaced else ""
        made.append(
            "".join(word + random.choice([" ", " ", " ", f"{gap}, ", f"{gap}. "]) for word in words).strip()
        )
    if not spaced:
        return made
    signs = str.maketrans({sign: f" {sign} " for sign in SIGNS})
    return [" ".join(text.translate(signs).split()) for text in made]


def wordpiece() -> tuple[Tokenizer, dict[str, str]]:
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    named = {"unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]"}
    train(tokenizer, trainers.WordPieceTrainer(vocab_size=300, special_tokens=["[PAD]", *_others(named)]))
    return framed(tokenizer, "[CLS]", "[SEP]"), named


def byte_level() -> tuple[Tokenizer, dict[str, str]]:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    named = {"cls_token": "<s>", "pad_token": "<pad>", "sep_token": "</s>", "unk_token": "<unk>"}
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    train(tokenizer, trainers.BpeTrainer(vocab_size=450, special_tokens=special, initial_alphabet=alphabet))
    before, after = (("<s>", special.index("<s>")), ("</s>", special.index("</s>")))
    tokenizer.post_processor = processors.RobertaProcessing(
        after, before, trim_offsets=True, add_prefix_space=True
    )
    return tokenizer, named


def unigram() -> tuple[Tokenizer, dict[str, str]]:
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    named = {"cls_token": "<s>", "pad_token": "<pad>", "sep_token": "</s>", "unk_token": "<unk>"}
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    train(tokenizer, trainers.UnigramTrainer(vocab_size=200, special_tokens=special, unk_token="<unk>"))
    state = json.loads(tokenizer.to_str())
    pieces = [piece for piece in state["model"]["vocab"] if piece[0] != "▁"]
    known = {piece for piece, _ in pieces}
    pieces += [[f"▁{letter}", -9.0] for letter in INITIALS if f"▁{letter}" not in known]
    state["model"]["vocab"] = pieces
    return framed(Tokenizer.from_str(json.dumps(state)), "<s>", "</s>"), named


def _others(named: dict[str, str]) -> list[str]:
    return [token for token in named.values() if token != "[PAD]"]


def train(tokenizer: Tokenizer, trainer: Any) -> None:
    tokenizer.train_from_iterator([*([*WORDS, *SIGNS] * 4), *(INITIALS * 30)], trainer)


def framed(tokenizer: Tokenizer, before: str, after: str) -> Tokenizer:
    ends = [(token, tokenizer.token_to_id(token)) for token in (before, after)]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{before} $A {after}", pair=f"{before} $A {after} $B {after}", special_tokens=ends
    )
    return tokenizer


Family = tuple[str, Callable[[], tuple[Tokenizer, dict[str, str]]], dict[str, Any], bool]
FAMILIES: dict[str, Family] = {
    "bert": ("Bert", wordpiece, SIZES, False),
    "distilbert": (
        "DistilBert",
        wordpiece,
        {"dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 48, "initializer_range": 0.6},
        False,
    ),
    # Its pre-tokenizer cuts punctuation off words; the pipeline goes by spaces alone. With spaces they agree.
    "roberta": ("Roberta", byte_level, {**SIZES, "pad_token_id": 1, "type_vocab_size": 1}, True),
    "xlm-roberta": ("XLMRoberta", unigram, {**SIZES, "pad_token_id": 1, "type_vocab_size": 1}, False),
    "deberta-v2": (
        "DebertaV2",
        unigram,
        {
            **SIZES,
            "pad_token_id": 1,
            "relative_attention": True,
            "pos_att_type": ["c2p", "p2c"],
            "type_vocab_size": 0,
        },
        False,
    ),
    "deberta": (
        "Deberta",
        byte_level,
        {**SIZES, "pad_token_id": 1, "relative_attention": True, "pos_att_type": ["c2p", "p2c"]},
        True,
    ),
}


def export(kind: str, folder: Path) -> Any:
    """Write a model of the family as transformers and Optimum lay it out; return the pipeline."""
    import torch
    import transformers

    prefix, make, sizes, _ = FAMILIES[kind]
    tokenizer, named = make()
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, **named)
    config = getattr(transformers, f"{prefix}Config")(
        vocab_size=tokenizer.get_vocab_size(),
        max_position_embeddings=130,
        id2label=dict(enumerate(LABELS)),
        label2id={label: number for number, label in enumerate(LABELS)},
        **sizes,
    )
    torch.manual_seed(11)
    model = getattr(transformers, f"{prefix}ForTokenClassification")(config).eval()
    with torch.no_grad():  # labels of all kinds, so that a wrong one shows
        model.classifier.weight.normal_(0, 1)
    fast.save_pretrained(folder)
    model.save_pretrained(folder)
    inputs = fast(["Anna sold a ship", "ok"], return_tensors="pt", padding=True)
    names = [name for name in ("input_ids", "attention_mask", "token_type_ids") if name in inputs]
    if kind not in ("bert", "deberta"):
        names = names[:2]

    class Plain(torch.nn.Module):  # type: ignore[misc,unused-ignore]
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, *given: Any) -> Any:
            return self.model(**dict(zip(names, given, strict=True))).logits

    torch.onnx.export(
        Plain().eval(),
        tuple(inputs[name] for name in names),
        str(folder / "model.onnx"),
        input_names=names,
        output_names=["logits"],
        dynamic_axes={name: {0: "batch", 1: "tokens"} for name in [*names, "logits"]},
        opset_version=17,
        dynamo=False,
    )
    assert json.loads((folder / "config.json").read_text())["model_type"] == kind
    return transformers.pipeline(
        "token-classification", model=model, tokenizer=fast, aggregation_strategy="first", ignore_labels=["O"]
    )


def expected(pipeline: Any, text: str) -> list[Label]:
    found = []
    for group in pipeline(text):
        start, end = trim(text, group["start"], group["end"])
        if start < end:
            found.append(Label(start, end, group["entity_group"]))
    return found


@pytest.mark.parametrize("kind", FAMILIES)
def test_a_family_gives_the_labels_of_transformers_own_pipeline(kind: str, tmp_path: Path) -> None:
    source = tmp_path / "export"
    source.mkdir()
    pipeline = export(kind, source)
    added = add(source, ModelRegistry(tmp_path / "models"), project="p", name=kind)
    assert added.outcome.tested, added.outcome.family
    folder = ModelFolder.open(added.entry.path)
    texts = sentences(spaced=FAMILIES[kind][3])
    found = answers(folder, texts).found
    differing = [
        (text, wanted, got)
        for text, got in zip(texts, found, strict=True)
        if (wanted := expected(pipeline, text)) != list(got)
    ]
    assert not differing, (len(differing), differing[:2])
    assert _kinds(found) > 2


def _kinds(found: Sequence[Sequence[Label]]) -> int:
    return len({label.category for labels in found for label in labels})
