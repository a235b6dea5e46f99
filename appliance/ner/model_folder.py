"""A checked model folder: its files are there, have the right digests, and fit together.

Nothing here runs the model. What a folder may look like, with and without `model.json`: `docs/models.md`.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from appliance.datasets.components.components import NO_COMPONENTS, Components
from appliance.datasets.language_tags import MULTILINGUAL, is_tag
from appliance.errors import ModelError
from appliance.models.files import LOOK, Files, InMemory, OnDisk, ReadOnce
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
from appliance.ner.decoding import SCHEMES, category_of, infer_scheme
from appliance.onnx_tools.inspect import GraphFacts

MAX_TOKENIZER_BYTES: Final = 64 * 2**20
MAX_WINDOW_TOKENS: Final = 512
MAX_LABELS: Final = 10_000
MAX_LANGUAGES: Final = 500

MODEL: Final = "model.onnx"
TOKENIZER: Final = "tokenizer.json"
AT_PUNCTUATION: Final = "punctuation"
CONFIG: Final = "config.json"
COMPONENTS: Final = "components.json"
"""Lists and expressions of a trained model; read where `model.json` names its sum."""
MAX_COMPONENTS_BYTES: Final = 64 * 2**20

_LIMITS: Final = {MODEL: MAX_MODEL_BYTES, TOKENIZER: MAX_TOKENIZER_BYTES, CONFIG: MAX_CONFIG_BYTES}
_TOKEN_TYPES: Final = ("case-class", "zeros")
_ROBERTA: Final = frozenset(
    {"roberta", "xlm-roberta", "camembert", "longformer", "xlm-roberta-xl", "ernie_m"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFolder:
    """What a checked model folder says about itself.

    Attributes:
        path: Where it is.
        name: Name of the model; the folder's own name without a `model.json`.
        line: What later releases of the same model share, such as `ner-en/1`.
        release: Version of this one.
        language: BCP 47 tag, `multilingual`, or the empty string.
        languages: BCP 47 tags of the languages it was made for, where it lists them.
        description: One sentence.
        weights_license: SPDX expression, or the empty string.
        meters: Meters its answers are counted on; empty if it does not say.
        labels: Label of each output column.
        scheme: How labels mark entities; one of `decode.SCHEMES`.
        case_classes: Whether `token_type_ids` carries case classes; zeros otherwise.
        words: How texts are cut into words: as the tokenizer cuts them, or at punctuation besides.
        borders: Whether a name ends where a sentence and its line end, at a blank line and between columns.
        window_tokens: Tokens the model sees at once, special tokens included.
        overlap_tokens: Tokens that neighbouring windows of a long text share.
        pad_token: Token number that fills shorter rows of a batch.
        batch_invariant: Whether a row's logits are the same whatever shares its batch.
        digests: SHA-256 of each file, hexadecimal.
        components: What finds entities besides the network, and the confidence its own must reach.
        content: The files themselves, where they came out of a package or are kept (`open`); None otherwise.
    """

    path: Path
    name: str
    line: str = ""
    release: str = ""
    language: str = ""
    languages: tuple[str, ...] = ()
    description: str = ""
    weights_license: str = ""
    meters: tuple[str, ...] = ()
    labels: tuple[str, ...]
    scheme: str
    case_classes: bool = False
    words: str = "tokenizer"
    borders: bool = False
    window_tokens: int
    overlap_tokens: int
    pad_token: int = 0
    batch_invariant: bool = False
    digests: Mapping[str, str] = field(hash=False)
    components: Components = field(default=NO_COMPONENTS, hash=False)
    content: Mapping[str, bytes] | None = field(default=None, hash=False, compare=False, repr=False)

    @classmethod
    def open(cls, path: Path, *, keep: bool = False) -> "ModelFolder":
        """Check a folder and describe it.

        Args:
            path: The folder.
            keep: Keep what was checked in memory, for who loads the model right away: it is read once.

        Raises:
            ModelError: A file is missing, too large, unreadable, changed, or of a kind that is not served;
            the
                message names the file and the reason.
        """
        if not path.is_dir():
            raise ModelError(f"{path} is not a model folder", hint=LOOK)
        if not keep:
            return _describe(OnDisk(path))
        files = ReadOnce(path)
        folder = _describe(files)
        return replace(folder, content={name: files.content(name) for name in _LIMITS})

    @classmethod
    def from_files(
        cls, files: Mapping[str, bytes], *, path: Path, line: str = "", release: str = ""
    ) -> "ModelFolder":
        """Check a folder whose files are in memory, and describe it.

        Args:
            files: Every file by name.
            path: The package they came out of, for messages.
            line: The line the package says it is of; the folder's own is then not believed.
            release: Likewise its release.

        Raises:
            ModelError: As `open`.
        """
        folder = _describe(InMemory(path, files))
        kept = {name: files[name] for name in _LIMITS}
        return replace(folder, content=kept, line=line or folder.line, release=release or folder.release)

    def released(self) -> "ModelFolder":
        """Return the description alone: the model is loaded, and its files need not stay in memory."""
        return replace(self, content=None)

    def read(self, name: str) -> bytes:
        """Return the bytes of one file, which are those that were checked.

        Raises:
            ModelError: The file was changed or removed since the folder was opened.
        """
        if self.content is not None:
            return self.content[name]
        try:
            data = (self.path / name).read_bytes()
        except OSError as error:
            raise ModelError(f"{name} cannot be read: {error.strerror}") from error
        if hashlib.sha256(data).hexdigest() != self.digests[name]:
            raise ModelError(
                f"{name} was changed while the model was being opened", hint="open the model again"
            )
        return data

    @property
    def made_for(self) -> tuple[str, ...]:
        """Languages the model was made for: its own first, then those it lists; empty if it says nothing."""
        return _made_for(self.language, self.languages)

    @property
    def categories(self) -> tuple[str, ...]:
        """Entity categories the model can find, sorted."""
        learnt = {category_of(label, self.scheme) for label in self.labels} - {""}
        return tuple(sorted(learnt | self.components.categories))


def stated_languages(path: Path) -> tuple[str, ...]:
    """Return the languages that the `model.json` of a folder says it was made for; the folder is not checked.

    Raises:
        ModelError: It has none that can be read.
    """
    fields = Fields(read_json(OnDisk(path), MANIFEST, MAX_MANIFEST_BYTES), MANIFEST)
    return _made_for(fields.text("language", ""), _languages(fields))


def _made_for(language: str, languages: tuple[str, ...]) -> tuple[str, ...]:
    own = language if language != MULTILINGUAL or not languages else ""
    return tuple(dict.fromkeys(name for name in (own, *languages) if name))


def _describe(files: Files) -> ModelFolder:
    for name, limit in _LIMITS.items():
        files.check(name, limit)
    manifest = read_json(files, MANIFEST, MAX_MANIFEST_BYTES) if MANIFEST in files else None
    digests = {name: files.digest(name) for name in _LIMITS}
    components = NO_COMPONENTS
    if manifest is not None and COMPONENTS in Fields(manifest, MANIFEST).table("files"):
        components = _components(files)
        digests[COMPONENTS] = files.digest(COMPONENTS)
    if manifest is not None:
        check_digests(Fields(manifest, MANIFEST).table("files"), digests)
    config = read_json(files, CONFIG, MAX_CONFIG_BYTES)
    labels = _labels(config)
    facts = read_facts(files, MODEL)
    if manifest is None:
        return _foreign(files.path, config, labels, facts, digests)
    return replace(
        _native(files.path, Fields(manifest, MANIFEST), config, labels, digests), components=components
    )


def _components(files: Files) -> Components:
    from appliance.ner.components.matcher import ComponentMatcher  # noqa: PLC0415  (few models have any)

    value = read_json(files, COMPONENTS, MAX_COMPONENTS_BYTES)
    try:
        components = Components.from_object(value)
        ComponentMatcher(components)
    except ValueError as error:
        raise ModelError(f"{COMPONENTS} cannot be used: {error}", hint=LOOK) from None
    return components


def _native(
    path: Path,
    fields: Fields,
    config: Mapping[str, Any],
    labels: tuple[str, ...],
    digests: Mapping[str, str],
) -> ModelFolder:
    """Describe a folder by its own `model.json`."""
    if fields.integer("format", 1, 2**31) != 1:
        raise ModelError(f"{MANIFEST} is of a format this version does not know", hint="update the appliance")
    task = fields.text("task")
    if task != "ner":
        raise ModelError(
            f"{MANIFEST} names task {task!r}, which is not served", hint="the task served is ner"
        )
    decoding = Fields(fields.table("decoding", {}), f"{MANIFEST} decoding")
    scheme = decoding.choice("scheme", SCHEMES, infer_scheme(labels))
    decoding.choice("aggregation", ("first",), "first")
    inputs = Fields(fields.table("inputs", {}), f"{MANIFEST} inputs")
    limits = Fields(fields.table("limits", {}), f"{MANIFEST} limits")
    window = limits.integer("window_tokens", 16, MAX_WINDOW_TOKENS, _window(config))
    return ModelFolder(
        path=path,
        name=fields.text("name"),
        line=fields.text("line", ""),
        release=fields.text("release", ""),
        language=fields.text("language", ""),
        languages=_languages(fields),
        description=fields.text("description", ""),
        weights_license=fields.text("weights_license", ""),
        meters=fields.texts("meters"),
        labels=labels,
        scheme=scheme,
        words=decoding.choice("words", ("tokenizer", AT_PUNCTUATION), "tokenizer"),
        borders=decoding.flag("borders", default=False),
        case_classes=inputs.choice("token_type_ids", _TOKEN_TYPES, "zeros") == "case-class",
        window_tokens=window,
        overlap_tokens=limits.integer("overlap_tokens", 0, window // 2, window // 4),
        pad_token=_pad_token(config),
        batch_invariant=fields.flag("batch_invariant", default=False),
        digests=digests,
    )


def _languages(fields: Fields) -> tuple[str, ...]:
    languages = fields.texts("languages")
    if len(languages) > MAX_LANGUAGES:
        raise ModelError(f"{MANIFEST} lists more than {MAX_LANGUAGES} languages")
    for language in languages:
        if not is_tag(language) and language != MULTILINGUAL:
            raise ModelError(
                f"{MANIFEST} languages: {language[:40]!r} is not a language tag",
                hint=f"write tags such as en, pt-BR or zh-Hans, or {MULTILINGUAL}",
            )
    if len({language.casefold() for language in languages}) != len(languages):
        raise ModelError(f"{MANIFEST} languages names a language twice")
    return languages


def _foreign(
    path: Path,
    config: Mapping[str, Any],
    labels: tuple[str, ...],
    facts: GraphFacts,
    digests: Mapping[str, str],
) -> ModelFolder:
    """Describe a folder as Optimum or transformers wrote it."""
    architectures = config.get("architectures")
    if (
        isinstance(architectures, list)
        and architectures
        and not any(str(name).endswith("ForTokenClassification") for name in architectures)
    ):
        raise ModelError(
            f"{CONFIG} describes {architectures[0]}, which does not label words",
            hint="export a model for token classification",
        )
    window = _window(config)
    return ModelFolder(
        path=path,
        name=path.resolve().name,
        labels=labels,
        scheme=infer_scheme(labels),
        window_tokens=window,
        overlap_tokens=min(window // 4, 64),
        pad_token=_pad_token(config),
        batch_invariant=not facts.mixes_rows,
        digests=digests,
    )


def _labels(config: Mapping[str, Any]) -> tuple[str, ...]:
    table = config.get("id2label")
    if not isinstance(table, dict) or not table:
        raise ModelError(f"{CONFIG} has no id2label, so the model's answers have no names", hint=LOOK)
    if len(table) > MAX_LABELS:
        raise ModelError(f"{CONFIG} names more than {MAX_LABELS} labels")
    labels = tuple(table.get(str(number)) for number in range(len(table)))
    if not all(isinstance(label, str) and label for label in labels):
        raise ModelError(f"{CONFIG} id2label must name 0 to {len(table) - 1}, each once")
    if len(set(labels)) != len(labels):
        raise ModelError(f"{CONFIG} id2label names a label twice")
    return tuple(str(label) for label in labels)


def _window(config: Mapping[str, Any]) -> int:
    positions = config.get("max_position_embeddings")
    if not isinstance(positions, int) or positions < 1:
        return MAX_WINDOW_TOKENS
    if config.get("model_type") in _ROBERTA:  # this family counts positions from behind the padding number
        positions -= _pad_token(config) + 1
    if positions < 16:
        raise ModelError(f"{CONFIG} leaves a window of {positions} tokens, too few for text")
    return min(positions, MAX_WINDOW_TOKENS)


def _pad_token(config: Mapping[str, Any]) -> int:
    number = config.get("pad_token_id")
    return number if isinstance(number, int) and number >= 0 else 0
