"""From a base and text to a served model folder, without audio and without torch.

The graphs stay as they are; beside them come `domain.arpa`, `phrases.txt` and `pronunciations.txt`, and the
card says what they hold. How strongly they count was chosen on the train parts, see `docs/speech.md`.
"""

import hashlib
import json
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from appliance.datasets.label_errors import DatasetError
from appliance.errors import ModelError
from appliance.models.files import OnDisk
from appliance.models.folder_reader import MANIFEST, MAX_MANIFEST_BYTES, read_json
from appliance.speech.adaptation.adaptation import (
    DOMAIN,
    MAX_DOMAIN_NGRAMS,
    PHRASES,
    PRONUNCIATIONS,
    SHARE,
    WEIGHT,
    phrases_of,
)
from appliance.speech.adaptation.domain_text import plain_words, read_domain_text
from appliance.speech.adaptation.kneser_ney import ORDER, estimate
from appliance.speech.adaptation.pronunciations import Pronunciations, letters
from appliance.speech.evaluation.spoken_words import spoken_words
from appliance.speech.model.folder import SpeechFolder
from appliance.speech.model.kind import language_code
from appliance.speech.model.layout import Layout
from appliance.speech.training.custom_folder import CARD, METER, notices_of
from license.files import require_room, sync_directory

BEAM: Final = 32
"""Texts that a word list's search follows at least: with more words, more are in the running."""
_TASKS: Final = {
    Layout.HF_CTC: "speech-ctc",
    Layout.K2_CTC: "speech-ctc",
    Layout.WHISPER: "speech-whisper",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Text that a model learns from; empty where there is none.

    Attributes:
        text: Sentences of the domain, one a line.
        phrases: Phrases to prefer in every request, one a line.
        pronunciations: Displayed form, tab, spoken form, one a line.
    """

    text: str = ""
    phrases: str = ""
    pronunciations: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapted:
    """A finished adaptation.

    Attributes:
        folder: The model.
        learnt: What it learnt, in sentences for a person; they hold none of the text.
        seconds: Time that it took.
    """

    folder: SpeechFolder
    learnt: tuple[str, ...]
    seconds: float


def adapt(
    base: SpeechFolder,
    sources: Sources,
    out: Path,
    *,
    release: str = "1",
    now: Callable[[], float] = time.time,
) -> Adapted:
    """Write the model, and put its folder in place as a whole.

    Args:
        base: The model to start from.
        sources: What it learns from.
        out: A new folder.
        release: Version of the model.
        now: Unix seconds, for the card.

    Raises:
        ModelError: The base cannot be adapted, or a source is refused.
        DatasetError: The folder cannot be written.
        NoRoom: It would not fit on the disk.
    """
    begun = time.monotonic()
    if base.graphs.layout not in _TASKS:
        raise ModelError(
            f"{base.name} is a transducer, which uses neither words nor phrases",
            hint="start from whisper-tiny-en or speech-en, or from another Whisper or CTC model",
        )
    made, learnt = _learnt(base, sources)
    kept = [name for name in base.digests if name not in made]
    require_room(out, sum((base.path / name).stat().st_size for name in kept), "the model")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as place:
            folder = Path(place) / "model"
            folder.mkdir(mode=0o755)
            made |= {name: base.read_file(name) for name in kept}
            manifest = _manifest(base, made, name=out.resolve().name, release=release)
            made |= notices_of(base)
            made[MANIFEST] = (json.dumps(manifest, indent=2, ensure_ascii=False) + "\n").encode()
            made[CARD] = _card(base, manifest, learnt, now()).encode()
            for name, data in made.items():
                (folder / name).parent.mkdir(exist_ok=True)
                (folder / name).write_bytes(data)
            SpeechFolder.open(folder)
            folder.replace(out)
            sync_directory(out.parent)
    except OSError as error:
        raise DatasetError(f"cannot write {out}: {error.strerror}") from error
    return Adapted(folder=SpeechFolder.open(out), learnt=tuple(learnt), seconds=time.monotonic() - begun)


def _learnt(base: SpeechFolder, sources: Sources) -> tuple[dict[str, bytes], list[str]]:
    """The files that the sources become, and what they hold."""
    made: dict[str, bytes] = {}
    learnt: list[str] = []
    if sources.text:
        arpa, sentence = _domain(base, sources.text)
        made[DOMAIN] = arpa.encode()
        learnt.append(sentence)
    if sources.phrases:
        phrases = phrases_of(sources.phrases, "--phrases")
        if any(map(letters, phrases)):
            made[PHRASES] = ("\n".join(phrases) + "\n").encode()
            learnt.append(f"{len(phrases)} phrases, preferred in every request")
    if sources.pronunciations:
        known = Pronunciations.read(sources.pronunciations, "--pronunciations")
        _require_letters(base, known)
        if known.displayed:
            rows = "".join(f"{shown}\t{' '.join(words)}\n" for words, shown in known.displayed.items())
            made[PRONUNCIATIONS] = rows.encode()
            learnt.append(f"{len(known.displayed)} pronunciations")
    if not made:
        raise ModelError("the files hold nothing to learn from", hint="put a line into one of them")
    return made, learnt


def _domain(base: SpeechFolder, text: str) -> tuple[str, str]:
    if base.whisper is None and base.lexicon is None:
        raise ModelError(
            f"{base.name} has no words.txt, so that no text can weigh its words",
            hint="start from whisper-tiny-en or speech-en; --phrases and --pronunciations work here too",
        )
    english = not base.language or language_code(base.language) == "en"
    found = read_domain_text(
        text,
        "--text",
        words=plain_words if base.whisper is not None else lambda line: spoken_words(line, english=english),
        letters=_letters(base),
    )
    ngrams = estimate(found.sentences)
    if len(ngrams.grams) > MAX_DOMAIN_NGRAMS:
        ngrams = estimate(found.sentences, order=ORDER - 1)
    if len(ngrams.grams) > MAX_DOMAIN_NGRAMS:
        raise ModelError(
            f"--text has more than {MAX_DOMAIN_NGRAMS} different pairs of words", hint="take a shorter text"
        )
    odd = f", {found.left_out} lines left out" if found.left_out else ""
    repeated = f", {found.repeated} repeated ones counted once" if found.repeated else ""
    return ngrams.written(), (
        f"{len(found.sentences)} sentences with {len(ngrams.words())} different words{repeated}{odd}"
    )


def _letters(base: SpeechFolder) -> str:
    """What the model can write; empty for everything."""
    if base.whisper is not None or base.vocabulary.bytes_of:
        return ""
    return "".join(base.vocabulary.tokens)


def _require_letters(base: SpeechFolder, known: Pronunciations) -> None:
    letters = _letters(base)
    for words in known.displayed:
        if letters and not set("".join(words)) <= set(letters):
            raise ModelError(
                f"a spoken form in --pronunciations has signs that {base.name} cannot write",
                hint="write spoken forms in small letters, and digits as words: three c p o",
            )


def _manifest(base: SpeechFolder, files: Mapping[str, bytes], *, name: str, release: str) -> dict[str, Any]:
    """`model.json` of the base, or a new one, with what is different now."""
    source = OnDisk(base.path)
    old = read_json(source, MANIFEST, MAX_MANIFEST_BYTES) if MANIFEST in source else {}
    made = {
        "format": 1,
        "task": _TASKS[base.graphs.layout],
        "meters": [METER],
        **({"language": base.language} if base.language else {}),
        "weights_license": base.weights_license,
        "limits": {"sample_rate": base.rate},
        **old,
        "name": name,
        "line": "",
        "release": release,
        "description": f"Custom speech from text, made from {base.name}",
        "files": {file: hashlib.sha256(data).hexdigest() for file, data in files.items()},
    }
    kept = old.get("adaptation", {})  # weights that a person has changed there
    if base.whisper is not None:
        made["adaptation"] = {"weight": WEIGHT, **kept}
    else:
        made["adaptation"] = {"share": SHARE, **kept}
        made["decoding"] = {**old.get("decoding", {}), "beam": max(base.decoding.beam, BEAM)}
    return made


def _card(base: SpeechFolder, manifest: Mapping[str, Any], learnt: list[str], now: float) -> str:
    day = time.strftime("%Y-%m-%d", time.gmtime(now))
    rows = "\n".join(f"- {sentence}" for sentence in learnt)
    return f"""# {manifest["name"]} {manifest["release"]}

Custom speech, adapted {day} on this installation by text alone, without audio and without network.

- **Made from:** {base.name} {base.release}; licence of its weights: {base.weights_license or "not stated"}.
  The weights are unchanged.
- **Language:** {base.language or "not stated"}

Learnt from:

{rows}

The folder holds the phrases, the pronunciations and the words of the text as plain files: who may read the
folder may read them.

It expects what the text says. Whether it hears better, only recordings can tell:
`appliance speech evaluate RECORDINGS --model {base.name} --model FOLDER`.
"""
