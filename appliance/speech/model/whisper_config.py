"""What the files beside the graphs of a Whisper model say: its shape, its special tokens, its languages.

Read are `config.json`, `generation_config.json` where there is one, and `tokenizer.json` or, from older
exports, `vocab.json` with `merges.txt`. Special tokens are looked up by their spelling, so no table of
numbers is needed for each size of Whisper.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from appliance.errors import ModelError
from appliance.models.files import Files
from appliance.models.folder_reader import MAX_CONFIG_BYTES, Fields, read_json

GENERATION: Final = "generation_config.json"
TOKENIZER: Final = "tokenizer.json"
MAX_TOKENIZER_BYTES: Final = 16 * 2**20

_LANGUAGE: Final = re.compile(r"<\|([a-z]{2,3})\|>")
_NO_SPEECH: Final = ("<|nospeech|>", "<|nocaptions|>")
_LAYERS: Final = 64
_COMPLETE: Final = "take all files of the export; see docs/speech.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class WhisperConfig:
    """What a Whisper folder says about its model.

    Attributes:
        bands: Mel bands of the features.
        layers: Layers of the decoder.
        heads: Attention heads of each of them.
        width: Numbers of one head.
        positions: Tokens that the decoder can hold.
        vocabulary: Columns of the logits.
        start: Token that begins a transcript.
        end: Token that ends it.
        transcribe: Token of the task; None where the model knows English alone.
        no_timestamps: Token that asks for text without times.
        previous: Token before text that came earlier; None where the model has none.
        no_speech: Token whose probability tells of no speech; None where the model has none.
        languages: Token of each language by its code; empty where the model knows English alone.
        suppressed: Tokens that are never chosen.
        not_first: Tokens that are not chosen first.
        alignment_heads: Layer and head of the attention that follows the sound; empty where it is not known.
        tokenizer: Content of a `tokenizer.json`.
    """

    bands: int
    layers: int
    heads: int
    width: int
    positions: int
    vocabulary: int
    start: int
    end: int
    transcribe: int | None
    no_timestamps: int
    previous: int | None
    no_speech: int | None
    languages: Mapping[str, int]
    suppressed: tuple[int, ...]
    not_first: tuple[int, ...]
    alignment_heads: tuple[tuple[int, int], ...]
    tokenizer: str


def read_whisper_config(files: Files) -> WhisperConfig:
    """Read the files beside the graphs.

    Raises:
        ModelError: One is missing, unreadable, or does not fit the others.
    """
    config = Fields(read_json(files, "config.json"), "config.json")
    table = read_json(files, GENERATION) if GENERATION in files else {}
    tokenizer, special = _tokenizer(files)
    heads, size = config.integer("decoder_attention_heads", 1, 128), config.integer("d_model", 1, 16_384)
    if size % heads:
        raise ModelError(f"config.json: d_model {size} is no multiple of {heads} heads", hint=_COMPLETE)
    layers = config.integer("decoder_layers", 1, _LAYERS)
    vocabulary = config.integer("vocab_size", 1, 2**20)
    languages = {
        match[1]: number
        for text, number in special.items()
        if (match := _LANGUAGE.fullmatch(text)) is not None
    }
    start = _needed(special, "<|startoftranscript|>")
    # Models of English alone keep the names of languages in their tokenizer, but never learnt them.
    multilingual = table.get("is_multilingual", vocabulary >= 51_865)
    no_timestamps = _needed(special, "<|notimestamps|>")
    found = WhisperConfig(
        bands=config.integer("num_mel_bins", 1, 512, 80),
        layers=layers,
        heads=heads,
        width=size // heads,
        positions=config.integer("max_target_positions", 8, 65_536, 448),
        vocabulary=vocabulary,
        start=start,
        end=_needed(special, "<|endoftext|>"),
        transcribe=_needed(special, "<|transcribe|>") if multilingual else None,
        no_timestamps=no_timestamps,
        previous=special.get("<|startofprev|>"),
        no_speech=next((special[name] for name in _NO_SPEECH if name in special), None),
        languages=languages if multilingual else {},
        suppressed=(*_numbers(table, "suppress_tokens", vocabulary), *_markers(special, vocabulary)),
        not_first=_numbers(table, "begin_suppress_tokens", vocabulary),
        alignment_heads=_heads(table, layers, heads),
        tokenizer=tokenizer,
    )
    if max(special.values()) >= vocabulary:
        raise ModelError(
            f"config.json names {vocabulary} tokens, and {TOKENIZER} more",
            hint="take both from the same export",
        )
    return found


def _markers(special: Mapping[str, int], vocabulary: int) -> tuple[int, ...]:
    """Tokens that are marks and no text: all special ones but the end, and the times behind the last of
    them."""
    end = special["<|endoftext|>"]
    marks = {number for text, number in special.items() if text.startswith("<|") and number != end}
    return tuple(sorted(marks | set(range(special["<|notimestamps|>"], vocabulary))))


def _tokenizer(files: Files) -> tuple[str, dict[str, int]]:
    """The content of a `tokenizer.json`, and its special tokens."""
    if TOKENIZER in files:
        table = read_json(files, TOKENIZER, MAX_TOKENIZER_BYTES)
        added = table.get("added_tokens")
        special = {
            item["content"]: item["id"]
            for item in (added if isinstance(added, list) else [])
            if isinstance(item, dict)
            and isinstance(item.get("content"), str)
            and isinstance(item.get("id"), int)
        }
        return json.dumps(table), special
    if not {"vocab.json", "merges.txt", "added_tokens.json"} <= set(files.names()):
        raise ModelError(
            f"neither {TOKENIZER} nor vocab.json, merges.txt and added_tokens.json are in {files.path}",
            hint=_COMPLETE,
        )
    vocabulary = read_json(files, "vocab.json")
    special = {
        name: number
        for name, number in {**read_json(files, "added_tokens.json"), **vocabulary}.items()
        if isinstance(number, int) and name.startswith("<|") and name.endswith("|>")
    }
    files.check("merges.txt", MAX_CONFIG_BYTES)
    try:
        lines = files.text("merges.txt").splitlines()
    except (OSError, ValueError) as error:
        raise ModelError(f"merges.txt cannot be read: {error}") from error
    merges = [line.split(" ") for line in lines if line and not line.startswith("#version")]
    return json.dumps(_byte_level(vocabulary, merges, special)), special


def _byte_level(
    vocabulary: Mapping[str, Any], merges: Sequence[Sequence[str]], special: Mapping[str, int]
) -> dict[str, Any]:
    """A byte-level tokenizer as `tokenizer.json` spells it."""
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    plain = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    return {
        "version": "1.0",
        "added_tokens": [
            {"id": number, "content": name, **flags}
            for name, number in sorted(special.items(), key=lambda item: item[1])
        ],
        "pre_tokenizer": plain,
        "decoder": plain,
        "model": {"type": "BPE", "vocab": dict(vocabulary), "merges": [list(merge) for merge in merges]},
    }


def _needed(special: Mapping[str, int], name: str) -> int:
    try:
        return special[name]
    except KeyError:
        raise ModelError(
            f"the tokenizer has no token {name}, so this is no Whisper model", hint=_COMPLETE
        ) from None


def _numbers(table: Mapping[str, Any], key: str, limit: int) -> tuple[int, ...]:
    found = table.get(key)
    if found is None:
        return ()
    if not isinstance(found, list) or not all(_is_number(item, limit) for item in found):
        raise ModelError(f"{GENERATION}: {key} must be a list of tokens", hint=_COMPLETE)
    return tuple(found)


def _heads(table: Mapping[str, Any], layers: int, heads: int) -> tuple[tuple[int, int], ...]:
    found = table.get("alignment_heads")
    if found is None:
        return ()
    if not isinstance(found, list) or not all(
        isinstance(pair, list)
        and len(pair) == 2
        and _is_number(pair[0], layers)
        and _is_number(pair[1], heads)
        for pair in found
    ):
        raise ModelError(f"{GENERATION}: alignment_heads must be pairs of layer and head", hint=_COMPLETE)
    return tuple((layer, head) for layer, head in found)


def _is_number(item: object, limit: int) -> bool:
    return isinstance(item, int) and not isinstance(item, bool) and 0 <= item < limit
