"""What kind of speech model a folder holds, told by the inputs and metadata of its graphs, not by names."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from appliance.errors import ModelError
from appliance.onnx_tools.inspect import GraphFacts

SUPPORTED: Final = (
    "supported are CTC models and Whisper as Hugging Face Optimum exports them (wav2vec2, HuBERT, WavLM and"
    " relatives; Whisper, distil-whisper), sherpa-onnx CTC models, and sherpa-onnx offline transducers;"
    " see docs/speech.md"
)

_K2_CTC: Final = frozenset({"", "zipformer2_ctc", "zipformer_ctc", "conformer_ctc"})
_FEATURES: Final = frozenset({"x", "x_lens"})


class Layout(StrEnum):
    """How the files of a model work together."""

    HF_CTC = "hf-ctc"
    K2_CTC = "k2-ctc"
    TRANSDUCER = "k2-rnnt"
    WHISPER = "whisper"


@dataclass(frozen=True, slots=True, kw_only=True)
class Graphs:
    """The graphs of a model.

    Attributes:
        layout: How they work together.
        files: Name of each file by its part: `model`; or `encoder`, `decoder` and `joiner`; or `encoder`,
            `decoder` and, where that is not a merged one, `decoder_with_past`.
    """

    layout: Layout
    files: Mapping[str, str]


def detect(facts: Mapping[str, GraphFacts]) -> Graphs:
    """Decide which model the graphs of a folder are.

    Args:
        facts: What was read from each file, by name.

    Raises:
        ModelError: None of a kind that is supported; the sentence names what was found and what would do.
    """
    parts: dict[str, list[str]] = {}
    for name in sorted(facts, key=_preference):
        parts.setdefault(_part(facts[name]), []).append(name)
    if {"encoder", "decoder", "joiner"} <= parts.keys():
        return Graphs(
            layout=Layout.TRANSDUCER,
            files={part: parts[part][0] for part in ("encoder", "decoder", "joiner")},
        )
    whisper = _whisper(parts)
    if whisper is not None:
        return whisper
    if "hf-ctc" in parts:
        return Graphs(layout=Layout.HF_CTC, files={"model": parts["hf-ctc"][0]})
    if "encoder" in parts and not {"decoder", "joiner"} & parts.keys():
        name = parts["encoder"][0]
        kind = facts[name].metadata.get("model_type", "")
        if kind not in _K2_CTC:
            raise ModelError(f"{name} is a model of type {kind}, which is not supported", hint=SUPPORTED)
        return Graphs(layout=Layout.K2_CTC, files={"model": name})
    raise ModelError(_found(parts, facts), hint=SUPPORTED)


def _whisper(parts: Mapping[str, list[str]]) -> Graphs | None:
    """The parts of a Whisper model; None where there is none.

    Raises:
        ModelError: One of them is missing.
    """
    encoder, decoder = parts.get("whisper encoder"), parts.get("whisper decoder")
    merged, further = parts.get("whisper merged decoder"), parts.get("whisper decoder with past")
    if not (encoder or decoder or merged or further):
        return None
    if encoder and merged:
        return Graphs(layout=Layout.WHISPER, files={"encoder": encoder[0], "decoder": merged[0]})
    if encoder and decoder and further:
        files = {"encoder": encoder[0], "decoder": decoder[0], "decoder_with_past": further[0]}
        return Graphs(layout=Layout.WHISPER, files=files)
    found = ", ".join(names[0] for names in (encoder, decoder, further, merged) if names)
    raise ModelError(
        f"the Whisper model is not complete: only {found} is there",
        hint="needed are encoder_model.onnx and either decoder_model_merged.onnx, or decoder_model.onnx and"
        " decoder_with_past_model.onnx: export with --task automatic-speech-recognition-with-past",
    )


def _whisper_part(facts: GraphFacts, inputs: set[str]) -> str | None:
    """Which part of a Whisper model a graph is, as Optimum names inputs and outputs."""
    if inputs == {"input_features"} and "last_hidden_state" in facts.outputs:
        return "whisper encoder"
    if "input_ids" not in inputs or "logits" not in facts.outputs or "encoder_attention_mask" in inputs:
        return None
    past = any(name.startswith("past_key_values.") for name in inputs)
    if "use_cache_branch" in inputs:
        return "whisper merged decoder"
    if past:
        return "whisper decoder with past"
    gives = any(name.startswith("present.") for name in facts.outputs)
    return "whisper decoder" if gives and "encoder_hidden_states" in inputs else None


def _part(facts: GraphFacts) -> str:
    inputs = set(facts.inputs)
    whisper = _whisper_part(facts, inputs)
    if whisper is not None:
        return whisper
    if (
        "input_values" in inputs
        and inputs <= {"input_values", "attention_mask"}
        and "logits" in facts.outputs
    ):
        return "hf-ctc"
    if inputs == _FEATURES:
        return "encoder"
    if inputs == {"y"}:
        return "decoder"
    if len(inputs) == 2 and {"encoder_out", "decoder_out"} == inputs:
        return "joiner"
    return _foreign(facts, inputs)


def _foreign(facts: GraphFacts, inputs: set[str]) -> str:
    """Name the well-known kinds that are not supported."""
    if "audio_signal" in inputs or facts.metadata.get("model_type", "").startswith("EncDec"):
        return "a NeMo model"
    if "mel" in inputs or "n_layer_self_k_cache" in inputs:
        return "a Whisper model in the layout of sherpa-onnx"
    if "input_features" in inputs or "encoder_hidden_states" in inputs:
        return "a Whisper model without a cache, or one of a similar kind"
    if "x" in inputs and any(name.startswith("cached_") for name in inputs):
        return "a streaming k2 model"
    if inputs & {"args_0", "seq_len", "input_ids", "decoder_input_ids"} or inputs == {"input_values"}:
        return "a Moonshine or another encoder-decoder model"
    return "an unknown model"


def _found(parts: Mapping[str, list[str]], facts: Mapping[str, GraphFacts]) -> str:
    if not facts:
        return "the folder holds no ONNX file for speech"
    kinds = [part for part in parts if " " in part]
    if kinds:
        known = next((kind for kind in kinds if kind != "an unknown model"), kinds[0])
        name = parts[known][0]
        inputs = ", ".join(facts[name].inputs) or "none"
        return f"{name} is {known} (inputs {inputs}), which is not supported"
    return f"only {', '.join(sorted(parts))} of a transducer was found; it needs encoder, decoder and joiner"


def _preference(name: str) -> tuple[bool, int, str]:
    """Files of full precision first, then `model.onnx` itself, then the shortest name."""
    reduced = any(mark in name for mark in ("int8", "uint8", "quantized", "q4", "fp16", "bnb4"))
    return reduced, len(name), name
