"""Makes tiny models of a family and exports them in every form, with the tools that people use.

    python exporter.py FOLDER FAMILY…       needs torch, transformers, optimum-onnx

FOLDER/FAMILY/FORM is an export, FOLDER/FAMILY/encoder one of the encoder alone. Beside it, expected.json
holds sentences with the labels that the pipeline of transformers finds, and failed.json the forms that the
tools themselves refuse, with their words. expected-O3.json holds those that the same pipeline finds with the
export O3, which approximates Gelu and so is another model.
"""

import json
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

INPUTS = ("input_ids", "attention_mask", "token_type_ids")
TYPED = frozenset({"albert", "bert", "convbert", "deberta", "electra", "mobilebert", "roformer"})
"""Families whose tokens have types."""

_TASK = {"task": "token-classification", "library_name": "transformers", "do_validation": False}
BASES = ("bert", "distilbert", "xlm-roberta")
"""Families whose encoder alone is exported too, as a training may start from it."""
FORMS = ("fp32", "fp16", "int8", "O1", "O2", "O3", "fixed batch", "fixed length")

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
    "albert": ("Albert", unigram, {**SIZES, "embedding_size": 16, "pad_token_id": 1}, True),
    "camembert": ("Camembert", unigram, {**SIZES, "pad_token_id": 1, "type_vocab_size": 1}, True),
    "convbert": ("ConvBert", wordpiece, {**SIZES, "embedding_size": 32, "head_ratio": 1}, False),
    "electra": ("Electra", wordpiece, {**SIZES, "embedding_size": 16}, False),
    "mobilebert": (
        "MobileBert",
        wordpiece,
        {**SIZES, "initializer_range": 0.2, "intra_bottleneck_size": 16},
        False,
    ),
    "modernbert": ("ModernBert", byte_level, {**SIZES, "pad_token_id": 1, "cls_token_id": 0}, True),
    "mpnet": ("MPNet", wordpiece, {**SIZES, "pad_token_id": 1}, False),
    "roformer": ("RoFormer", wordpiece, {**SIZES, "embedding_size": 32}, False),
    "bert": ("Bert", wordpiece, SIZES, False),
    "distilbert": (
        "DistilBert",
        wordpiece,
        {"dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 48, "initializer_range": 0.6},
        False,
    ),
    # True: spaces are put around punctuation, since the pipeline takes "Berlin." for one word, and we do not.
    "roberta": ("Roberta", byte_level, {**SIZES, "pad_token_id": 1, "type_vocab_size": 1}, True),
    "xlm-roberta": ("XLMRoberta", unigram, {**SIZES, "pad_token_id": 1, "type_vocab_size": 1}, True),
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
        True,
    ),
    "deberta": (
        "Deberta",
        byte_level,
        {**SIZES, "pad_token_id": 1, "relative_attention": True, "pos_att_type": ["c2p", "p2c"]},
        True,
    ),
}


SEEDS = range(11, 31)
APPROXIMATED = "O3"
LEAST_KINDS = 2
"""More kinds of labels than that must be among the expected ones, so that a wrong one shows."""


def model_of(kind: str, folder: Path, seed: int) -> Any:
    """Write a model of the family as transformers does; return the pipeline."""
    import torch
    import transformers

    prefix, make, sizes, _ = FAMILIES[kind]
    tokenizer, named = make()
    inputs = INPUTS if kind in TYPED else INPUTS[:2]
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, model_max_length=128, model_input_names=inputs, **named
    )
    config = getattr(transformers, f"{prefix}Config")(
        vocab_size=tokenizer.get_vocab_size(),
        max_position_embeddings=130,
        id2label=dict(enumerate(LABELS)),
        label2id={label: number for number, label in enumerate(LABELS)},
        **sizes,
    )
    torch.manual_seed(seed)
    model = getattr(transformers, f"{prefix}ForTokenClassification")(config).eval()
    with torch.no_grad():  # labels of all kinds, so that a wrong one shows
        for name, value in model.named_parameters():
            if value.shape == (len(LABELS), value.shape[-1]) and name.endswith("weight"):
                value.normal_(0, 1)
    fast.save_pretrained(folder)
    model.save_pretrained(folder)
    return transformers.pipeline(
        "token-classification", model=model, tokenizer=fast, aggregation_strategy="first", ignore_labels=["O"]
    )


def exported(source: Path, folder: Path, form: str) -> None:
    """Write one form of a model."""
    from onnx import load, save
    from optimum.exporters.onnx import main_export
    from optimum.onnxruntime import ORTModelForTokenClassification, ORTOptimizer, ORTQuantizer
    from optimum.onnxruntime.configuration import AutoOptimizationConfig, AutoQuantizationConfig

    plain = folder / "fp32"
    if form == "fp32":
        main_export(str(source), str(plain), **_TASK)
    elif form == "fp16":
        from onnxruntime.transformers.float16 import convert_float_to_float16

        shutil.copytree(plain, folder / form)
        half = convert_float_to_float16(load(plain / "model.onnx"), keep_io_types=True)
        save(half, folder / form / "model.onnx")
    elif form == "int8":
        quantizer = ORTQuantizer.from_pretrained(plain)
        quantizer.quantize(AutoQuantizationConfig.avx2(is_static=False), save_dir=folder / form)
    elif form.startswith("O"):
        optimizer = ORTOptimizer.from_pretrained(ORTModelForTokenClassification.from_pretrained(plain))
        optimizer.optimize(
            save_dir=folder / form, optimization_config=getattr(AutoOptimizationConfig, form)()
        )
    else:
        fixed = {"batch_size": 1} if form == "fixed batch" else {"batch_size": 1, "sequence_length": 32}
        dynamic = form == "fixed batch"
        main_export(str(source), str(folder / form), no_dynamic_axes=not dynamic, **fixed, **_TASK)
        if dynamic:  # no option of the exporter leaves the length free alone
            model = load(folder / form / "model.onnx")
            for end in (*model.graph.input, *model.graph.output):
                end.type.tensor_type.shape.dim[0].dim_value = 1
            save(model, folder / form / "model.onnx")


def optimised(folder: Path) -> Any:
    """Return an optimised export as its own tools run it."""
    from optimum.onnxruntime import ORTModelForTokenClassification

    (graph,) = folder.glob("*.onnx")
    return ORTModelForTokenClassification.from_pretrained(folder, file_name=graph.name)


def expected(pipeline: Any, text: str) -> list[list[Any]]:
    return [[group["start"], group["end"], group["entity_group"]] for group in pipeline(text)]


def make(kind: str, folder: Path) -> None:
    """Make a model, its sentences and its exports."""
    source = folder / "source"
    source.mkdir(parents=True)
    _, tokenizer, _, spaced = FAMILIES[kind]
    # Of these letters the mark of a space is a token of its own: see `INITIALS`.
    texts = [text for text in sentences(spaced=spaced) if tokenizer is wordpiece or "日" not in text]
    for seed in SEEDS:  # what a seed gives depends on the processor
        pipeline = model_of(kind, source, seed)
        found = [[text, expected(pipeline, text)] for text in texts]
        if len({label for _, groups in found for *_, label in groups}) > LEAST_KINDS:
            break
    (folder / "expected.json").write_text(json.dumps(found))
    if kind in BASES:
        from optimum.exporters.onnx import main_export

        main_export(str(source), str(folder / "encoder"), **{**_TASK, "task": "feature-extraction"})
    failed = {}
    for form in FORMS:
        try:
            exported(source, folder, form)
        except Exception as error:
            failed[form] = f"{type(error).__name__}: {str(error)[:300]}"
    (folder / "failed.json").write_text(json.dumps(failed))
    if APPROXIMATED not in failed:
        pipeline.model = optimised(folder / APPROXIMATED)
        approximated = [[text, expected(pipeline, text)] for text in texts]
        (folder / f"expected-{APPROXIMATED}.json").write_text(json.dumps(approximated))


def main(place: str, *kinds: str) -> None:
    for kind in kinds or FAMILIES:
        make(kind, Path(place) / kind)


if __name__ == "__main__":
    main(*sys.argv[1:])
