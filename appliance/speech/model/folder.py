"""A speech model folder, checked: its files are there, are the files it names, and are of a supported kind.

Nothing here runs the model. What a folder may look like: `docs/speech.md`.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from appliance.errors import ModelError
from appliance.models.files import LOOK, Files, InMemory, OnDisk
from appliance.models.folder_reader import (
    MANIFEST,
    MAX_CONFIG_BYTES,
    MAX_MANIFEST_BYTES,
    MAX_MODEL_BYTES,
    Fields,
    check_digests,
    read_facts,
    read_json,
)
from appliance.onnx_tools.inspect import GraphFacts
from appliance.speech.adaptation.adaptation import ADAPTATION_FILES, Adaptation, read_adaptation, text_of
from appliance.speech.model.layout import SUPPORTED, Graphs, Layout, detect
from appliance.speech.model.lexicon import Lexicon
from appliance.speech.model.vocabulary import Vocabulary, from_json, from_tokens
from appliance.speech.model.whisper_config import GENERATION, TOKENIZER, WhisperConfig, read_whisper_config

TASKS: Final = ("speech-ctc", "speech-transducer", "speech-whisper")
DISPLAY_TASKS: Final = {
    "Punct": "speech-punct",
    "Rescore": "speech-rescore",
    "Resegment": "speech-resegment",
    "Wfstitn": "speech-wfstitn",
}
"""The types of display models, and the task that a model of each has in its `model.json` and manifest."""

MAX_GRAPHS: Final = 40  # an export for browsers holds each of three graphs in eight kinds
MAX_LIST_BYTES: Final = 32 * 2**20
WORDS: Final = "words.txt"
NGRAMS: Final = "ngrams.txt"
_TEXTS: Final = (
    "vocab.json", "tokens.txt", "config.json", "preprocessor_config.json", "processor_config.json",
    "tokenizer_config.json", "tokenizer.json", "added_tokens.json",
)  # fmt: skip
_WHISPER_TEXTS: Final = ("config.json", GENERATION, "preprocessor_config.json")
_OLDER_TOKENIZER: Final = ("vocab.json", "merges.txt", "added_tokens.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a frame of a model with finite context depends on, in samples.

    Attributes:
        frame: Distance from one frame to the next.
        left: Samples before a frame's first one.
        right: Samples from a frame's first one on.
        align: A window begins at a multiple of this, so that the network steps in the same phase.
    """

    frame: int
    left: int
    right: int
    align: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoding:
    """How texts are searched: texts followed at once, and the weights of `Lexicon`."""

    beam: int = 16
    unknown: float | None = -4.0
    word: float = 0.0
    weight: float = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechFolder:
    """What a checked speech model folder says about itself.

    Attributes:
        path: Where it is.
        name: Name of the model.
        line: What later releases share.
        release: Version of this one.
        language: BCP 47 tag, or the empty string.
        description: One sentence.
        weights_license: SPDX expression, or the empty string.
        graphs: Its graphs and how they work together.
        vocabulary: Meaning of the output columns; of one column where `whisper` has them.
        whisper: What the model is told besides, where it is Whisper.
        rate: Samples a second that it wants.
        normalize: Whether it wants each utterance with mean 0 and variance 1.
        context: What a frame depends on; None if on everything.
        decoding: How texts are searched.
        lexicon: Word list of the folder, if it has one.
        adaptation: What text taught it; None if nothing.
        metadata: What exporters left in the graphs, by part.
        digests: SHA-256 of each graph.
        content: The graphs, where they came out of a package.
    """

    path: Path
    name: str
    line: str = ""
    release: str = ""
    language: str = ""
    description: str = ""
    weights_license: str = ""
    graphs: Graphs
    vocabulary: Vocabulary
    whisper: WhisperConfig | None = field(default=None, repr=False)
    rate: int = 16_000
    normalize: bool = False
    context: Context | None = None
    decoding: Decoding = Decoding()
    lexicon: Lexicon | None = field(default=None, repr=False)
    adaptation: Adaptation | None = field(default=None, repr=False)
    metadata: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    digests: Mapping[str, str] = field(default_factory=dict)
    content: Mapping[str, bytes] | None = field(default=None, repr=False)

    @classmethod
    def open(cls, path: Path) -> "SpeechFolder":
        """Check a folder and describe it.

        Raises:
            ModelError: A file is missing, unreadable, changed, or of a kind that is not served.
        """
        if not path.is_dir():
            raise ModelError(
                f"{path} is not a folder" if path.exists() else f"there is no folder {path}",
                hint="name a folder as docs/speech.md says; without Mounts:Model the bundled models hear",
            )
        return _describe(OnDisk(path))

    @classmethod
    def from_files(
        cls, files: Mapping[str, bytes], *, path: Path, line: str = "", release: str = ""
    ) -> "SpeechFolder":
        """Check a folder whose files are in memory; see `ModelFolder.from_files`.

        Raises:
            ModelError: As `open`.
        """
        folder = _describe(InMemory(path, files))
        kept = {name: files[name] for name in folder.graphs.files.values()}
        return replace(folder, content=kept, line=line or folder.line, release=release or folder.release)

    def released(self) -> "SpeechFolder":
        """Return the description alone: the model is loaded, and its files need not stay in memory."""
        return replace(self, content=None)

    def read(self, part: str) -> bytes:
        """Return the bytes of one graph, which are those that were checked.

        Raises:
            ModelError: The file was changed or removed since the folder was opened.
        """
        return self.read_file(self.graphs.files[part])

    def read_file(self, name: str) -> bytes:
        """Return the bytes of one of the files that the model is read from; raises as `read`."""
        if self.content is not None:
            return self.content[name]
        try:
            data = (self.path / name).read_bytes()
        except OSError as error:
            raise ModelError(f"{name} cannot be read: {error.strerror}") from error
        if hashlib.sha256(data).hexdigest() != self.digests[name]:
            raise ModelError(
                f"{name} of {self.name} was changed since the model was opened", hint="open the model again"
            )
        return data


def _describe(files: Files) -> SpeechFolder:
    beside = tuple(f"{kind.lower()}/" for kind in DISPLAY_TASKS)  # display models, see `forms.load`
    names = [name for name in files.names() if not name.startswith(beside)]
    graphs = [name for name in names if name.endswith(".onnx")]
    if not graphs:
        raise ModelError(f"{files.path} holds no .onnx file", hint=SUPPORTED)
    if len(graphs) > MAX_GRAPHS:
        raise ModelError(f"{files.path} holds more than {MAX_GRAPHS} .onnx files", hint=LOOK)
    facts: dict[str, GraphFacts] = {}
    for name in graphs:
        files.check(name, MAX_MODEL_BYTES)
        facts[name] = read_facts(files, name)
    found = detect(facts)
    manifest = read_json(files, MANIFEST, MAX_MANIFEST_BYTES) if MANIFEST in files else None
    used = [*found.files.values(), *(name for name in _texts(files, found.layout) if name in files)]
    digests = {name: files.digest(name) for name in used}
    fields = Fields({} if manifest is None else manifest, MANIFEST)
    if manifest is not None:
        _check_manifest(fields, digests)
    decoding = _decoding(fields.table("decoding", {}))
    rate, normalize = _front_end(files)
    return SpeechFolder(
        path=files.path,
        name=fields.text("name", "") or files.path.resolve().name,
        line=fields.text("line", ""),
        release=fields.text("release", ""),
        language=fields.text("language", ""),
        description=fields.text("description", ""),
        weights_license=fields.text("weights_license", ""),
        graphs=found,
        vocabulary=_vocabulary(files, found.layout),
        whisper=read_whisper_config(files) if found.layout is Layout.WHISPER else None,
        rate=rate,
        normalize=normalize,
        context=_context(fields),
        decoding=decoding,
        lexicon=_lexicon(files, decoding),
        adaptation=read_adaptation(files, fields.table("adaptation", {})),
        metadata={part: dict(facts[name].metadata) for part, name in found.files.items()},
        digests=digests,
    )


def _texts(files: Files, layout: Layout) -> tuple[str, ...]:
    """Names of the files beside the graphs that a model of this layout is read from."""
    if layout is not Layout.WHISPER:
        return (*_TEXTS, WORDS, NGRAMS, *ADAPTATION_FILES)
    return (*_WHISPER_TEXTS, *ADAPTATION_FILES, *((TOKENIZER,) if TOKENIZER in files else _OLDER_TOKENIZER))


def _check_manifest(fields: Fields, digests: Mapping[str, str]) -> None:
    if fields.integer("format", 1, 2**31) != 1:
        raise ModelError(f"{MANIFEST} is of a format this version does not know", hint="update the appliance")
    task = fields.text("task")
    if task not in TASKS:
        raise ModelError(
            f"{MANIFEST} names task {task!r}, which is not speech to text",
            hint=f"tasks of this service are {', '.join(TASKS)}",
        )
    check_digests(fields.table("files"), digests)


def _context(fields: Fields) -> Context | None:
    table = fields.table("streaming", {})
    if not table:
        return None
    found = Fields(table, f"{MANIFEST} streaming")
    frame = found.integer("frame_samples", 16, 16_000)
    align = found.integer("align_samples", frame, 64_000, frame)
    if align % frame:
        raise ModelError(
            f"{MANIFEST} streaming: align_samples must be a multiple of frame_samples", hint=LOOK
        )
    return Context(
        frame=frame,
        left=found.integer("left_samples", 0, 160_000),
        right=found.integer("right_samples", 0, 160_000),
        align=align,
    )


def _decoding(table: Mapping[str, Any]) -> Decoding:
    fields, plain = Fields(table, f"{MANIFEST} decoding"), Decoding()
    strict = "unknown_word" in table and table["unknown_word"] is None
    return Decoding(
        beam=fields.integer("beam", 1, 256, plain.beam),
        unknown=None if strict else fields.number("unknown_word", -100.0, 0.0, plain.unknown or 0.0),
        word=fields.number("word", -10.0, 10.0, plain.word),
        weight=fields.number("ngram", 0.0, 10.0, plain.weight),
    )


def _lexicon(files: Files, decoding: Decoding) -> Lexicon | None:
    if WORDS not in files:
        return None
    return Lexicon.read(
        text_of(files, WORDS, MAX_LIST_BYTES),
        text_of(files, NGRAMS, MAX_LIST_BYTES) if NGRAMS in files else "",
        unknown=decoding.unknown,
        word=decoding.word,
        weight=decoding.weight,
    )


def _front_end(files: Files) -> tuple[int, bool]:
    """Sample rate and normalisation: transformers 4 keeps them in one file, 5 nested in another."""
    table: Mapping[str, Any] = {}
    if "preprocessor_config.json" in files:
        table = read_json(files, "preprocessor_config.json")
    elif "processor_config.json" in files:
        nested = read_json(files, "processor_config.json").get("feature_extractor")
        table = nested if isinstance(nested, dict) else {}
    fields = Fields(table, "the feature extractor")
    return fields.integer("sampling_rate", 8_000, 48_000, 16_000), fields.flag("do_normalize", default=False)


def _vocabulary(files: Files, layout: Layout) -> Vocabulary:
    if layout is Layout.WHISPER:
        return Vocabulary(tokens=("",), blank=0)
    if layout is not Layout.HF_CTC:
        if "tokens.txt" not in files:
            raise ModelError(f"tokens.txt is missing from {files.path}", hint=SUPPORTED)
        return from_tokens(text_of(files, "tokens.txt", MAX_CONFIG_BYTES))
    settings = read_json(files, "tokenizer_config.json") if "tokenizer_config.json" in files else {}
    pad, delimiter = settings.get("pad_token"), settings.get("word_delimiter_token")
    if isinstance(pad, dict):
        pad = pad.get("content")
    return from_json(
        _pieces(files),
        pad=pad if isinstance(pad, str) else None,
        delimiter=delimiter if isinstance(delimiter, str) else "|",
    )


def _pieces(files: Files) -> str:
    """The pieces of a Hugging Face tokenizer, wherever it keeps them, as the text of a `vocab.json`."""
    if "vocab.json" in files:
        table = read_json(files, "vocab.json")
    elif "tokenizer.json" in files:
        model = read_json(files, "tokenizer.json").get("model")
        table = (
            dict(model["vocab"]) if isinstance(model, dict) and isinstance(model.get("vocab"), dict) else {}
        )
    else:
        raise ModelError(f"neither vocab.json nor tokenizer.json is in {files.path}", hint=SUPPORTED)
    wanted = read_json(files, "config.json").get("vocab_size") if "config.json" in files else None
    if "added_tokens.json" in files and wanted != len(table):
        table |= read_json(files, "added_tokens.json")
    return json.dumps(table)
