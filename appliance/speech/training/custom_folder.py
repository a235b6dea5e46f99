"""A tuned Whisper as a folder that is served: graphs, the files beside them, `model.json`, the card."""

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from appliance.errors import ModelError
from appliance.models.folder_reader import MANIFEST
from appliance.onnx_tools.whisper.decoder import decoder
from appliance.onnx_tools.whisper.encoder import encoder
from appliance.onnx_tools.whisper.read_graphs import OtherGraphsError, read_weights
from appliance.onnx_tools.whisper.silence import silence
from appliance.onnx_tools.whisper.weights import Weights
from appliance.speech.evaluation.evaluate import Evaluation
from appliance.speech.evaluation.report import between
from appliance.speech.model.folder import SpeechFolder
from appliance.speech.model.whisper_config import WhisperConfig

CARD: Final = "MODEL_CARD.md"
NOTICES: Final = "NOTICES.txt"
METER: Final = "CognitiveServices.SpeechToText.Container.AudioSeconds"
_MOST_NOTICES: Final = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """The folder that a training starts from.

    Attributes:
        folder: The folder.
        config: What it says.
        weights: Of its graphs.
        bits: In which the graphs keep those of products; None for float32.
    """

    folder: SpeechFolder
    config: WhisperConfig
    weights: Weights
    bits: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What `model.json` and the card say.

    Attributes:
        name: Of the model.
        release: Its version.
        language: BCP 47 tag, or empty.
        taught: Recordings that it learnt from.
        minutes: Length of them.
        speakers: Who speaks in them; 0 where the list does not say.
        held: Who examined it, in words.
        how: How it was trained, in words.
        seconds: Wall-clock seconds of the training.
        notes: Sentences that a person should know.
    """

    name: str
    release: str
    language: str
    taught: int
    minutes: float
    speakers: int
    held: str
    how: str
    seconds: float
    notes: Sequence[str]


def open_base(folder: SpeechFolder) -> Base:
    """Read what a training starts from.

    Raises:
        ModelError: It is no Whisper, or its graphs were written by something else.
    """
    hint = "start from whisper-tiny-en, or from a folder that recipes/speech/whisper wrote"
    if folder.whisper is None:
        raise ModelError(f"{folder.name} is no Whisper, and no other kind can be trained here", hint=hint)
    try:
        weights, bits = read_weights(
            folder.read("encoder"), folder.read("decoder"), heads=folder.whisper.heads
        )
    except OtherGraphsError as error:
        raise ModelError(f"the graphs of {folder.name} cannot be trained: {error}", hint=hint) from error
    return Base(folder=folder, config=folder.whisper, weights=weights, bits=bits)


def write_model(out: Path, base: Base, weights: Weights, about: About) -> SpeechFolder:
    """Write all that serving needs into an empty folder, and open it.

    Raises:
        ModelError: What was written cannot be opened.
        OSError: It cannot be written.
    """
    still = silence(weights)
    names = base.folder.graphs.files
    files = {
        names["encoder"]: encoder(weights, still, bits=base.bits).SerializeToString(deterministic=True),
        names["decoder"]: decoder(weights, still[-1], bits=base.bits).SerializeToString(deterministic=True),
    }
    for name in base.folder.digests:
        if name not in files:
            files[name] = base.folder.read_file(name)
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    described = json.dumps(_manifest(base.folder, about, digests), indent=2, ensure_ascii=False) + "\n"
    files |= notices_of(base.folder)
    for name, data in {**files, MANIFEST: described.encode()}.items():
        (out / name).write_bytes(data)
    return SpeechFolder.open(out)


def notices_of(base: SpeechFolder) -> dict[str, bytes]:
    """Return the notices beside a base by the name of their file; empty where there are none."""
    path = base.path / NOTICES
    small = path.is_file() and path.stat().st_size <= _MOST_NOTICES
    return {NOTICES: path.read_bytes()} if small else {}


def _manifest(base: SpeechFolder, about: About, digests: Mapping[str, str]) -> dict[str, Any]:
    kept = _adaptation(base)
    return {
        "format": 1,
        "task": "speech-whisper",
        "name": about.name,
        "line": "",
        "release": about.release,
        **({"language": about.language} if about.language else {}),
        "description": f"Custom speech from {about.taught} recordings, made from {base.name}",
        "weights_license": base.weights_license,
        "meters": [METER],
        "limits": {"sample_rate": base.rate},
        **({"adaptation": kept} if kept else {}),
        "files": dict(digests),
    }


def _adaptation(base: SpeechFolder) -> dict[str, float]:
    """The weights of what the base has learnt from text, as `model.json` states them."""
    found = base.adaptation
    return {} if found is None else {"share": found.share, "weight": found.weight}


def gain_sentence(before: Evaluation, after: Evaluation) -> str:
    """Say whether the model hears better than the one it was made from, and whether that may be chance."""
    found = between(before, after).all
    rates = f"{100 * before.errors.rate:.1f} % before, {100 * after.errors.rate:.1f} % after"
    change = f"{rates}; {100 * found.low:+.1f} to {100 * found.high:+.1f} in 95 % of the draws"
    if found.sure and found.value < 0:
        return f"Words wrong: {change}. The gain is beyond chance on recordings like these."
    if found.sure:
        return f"Words wrong: {change}. It hears worse than before, beyond chance: do not use it."
    if found.value < 0:
        return f"Words wrong: {change}. The gain may be chance: these recordings are too few to tell."
    return f"Words wrong: {change}. There is no gain."


def write_card(
    out: Path, base: SpeechFolder, about: About, sides: tuple[Evaluation, Evaluation], now: float
) -> None:
    """Write the model card; it holds no text of any recording.

    Args:
        out: The folder.
        base: What the model was made from.
        about: What the card says.
        sides: The base and the model on the recordings that examine.
        now: Unix seconds.
    """
    before, after = sides
    day = time.strftime("%Y-%m-%d", time.gmtime(now))
    speakers = f" of {about.speakers} speakers" if about.speakers else ""
    notes = "".join(f"- {note}\n" for note in about.notes)
    rows = "\n".join(
        f"| {title} | {one.recordings} | {one.words} | {one.substitutions} | {one.insertions} |"
        f" {one.deletions} | {100 * one.rate:.1f} |"
        for title, one in ((f"before ({base.name})", before.errors), ("after", after.errors))
    )
    (out / CARD).write_text(
        f"""# {about.name} {about.release}

Custom speech, trained {day} on this installation, without network.

- **Made from:** {base.name} {base.release}; licence of its weights: {base.weights_license or "not stated"}
- **Language:** {about.language or "not stated"}
- **Learnt from:** {about.taught} recordings{speakers}, {about.minutes:.1f} minutes
- **Examined on:** {about.held}
- **Training:** {about.how}, {about.seconds / 60:.0f} minutes

| | recordings | words | changed | put in | left out | words wrong, % |
|---|---|---|---|---|---|---|
{rows}

{gain_sentence(before, after)}

The recordings it was examined on also decided when training ended, so that new ones may show somewhat more
errors. Measure it on recordings that it has never met: `appliance speech evaluate`.

{notes}- It has learnt how the transcripts write, and to expect what they say. On speech of another kind it
  may be worse than {base.name}, and how much worse only a test on such speech can tell.
""",
        encoding="utf-8",
    )
