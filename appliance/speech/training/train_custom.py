"""From recordings with transcripts to a served model folder, examined as it will be served."""

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from appliance.datasets.label_errors import DatasetError
from appliance.host.cpus import usable_cores
from appliance.host.torch_extra import require_torch
from appliance.onnx_tools.whisper.weights import Weights
from appliance.speech.dataset.recordings import RecordingSet
from appliance.speech.dataset.transcripts import Recording
from appliance.speech.evaluation.evaluate import Evaluation, Told, evaluate_model
from appliance.speech.evaluation.report import between
from appliance.speech.evaluation.spoken_words import spoken_words
from appliance.speech.model.folder import SpeechFolder
from appliance.speech.model.kind import language_code
from appliance.speech.training.custom_folder import About, Base, open_base, write_card, write_model
from appliance.speech.training.examples import LEAST, Example, hold_back, read_examples
from appliance.speech.training.tuning import Tuning
from appliance.speech.whisper.features import RATE
from appliance.speech.whisper.tokens import WhisperTokens
from license.files import require_room, sync_directory

LEAST_MINUTES: Final = 1.0
"""Of recordings to learn from."""
_READ, _HEARD, _TUNED = 0.02, 0.05, 0.9
"""Shares of the work that are done when recordings are read, the base is measured, and so on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a model is trained.

    Attributes:
        minutes: Time for learning.
        release: Version of the model.
        language: BCP 47 tag; empty for that of the base.
        threads: For learning and for hearing; 0 for one per usable core.
        least: Confidence, 0…1, below which a phrase is not understood, as the service has it.
        seed: Of order, masks and the choice of who examines.
        tuning: Of learning.
    """

    minutes: float = 60.0
    release: str = "1"
    language: str = ""
    threads: int = 0
    least: float = 0.0
    seed: int = 1
    tuning: Tuning = field(default_factory=Tuning)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """A finished training.

    Attributes:
        folder: The model.
        before: The base on the recordings that examine.
        after: The model on the same ones.
        about: What its card says.
    """

    folder: SpeechFolder
    before: Evaluation
    after: Evaluation
    about: About


@dataclass(frozen=True, slots=True, kw_only=True)
class _Learnt:
    """Weights before and after learning, and how they came about in words."""

    begun: Weights
    ended: Weights
    how: str

    def at(self, share: float) -> Weights:
        """Return weights a share of the way: those between have forgotten less."""
        return self.begun.towards(self.ended, share)


def train(
    folder: SpeechFolder,
    listed: RecordingSet,
    out: Path,
    options: Options,
    *,
    told: Told,
    now: Callable[[], float] = time.time,
) -> Trained:
    """Train a model, examine it as it will be served, and put its folder in place as a whole.

    Args:
        folder: The Whisper to start from.
        listed: Recordings with transcripts.
        out: A new folder.
        options: How.
        told: Hears what is being done and the share of all that is done.
        now: Unix seconds, for the card.

    Raises:
        MissingExtra: torch is not installed.
        ModelError: The base cannot be trained.
        DatasetError: There is too little to learn from, a recording cannot be read, nothing was gained by
            learning, or the folder cannot be written.
        NoRoom: The model would not fit on the disk.
    """
    require_torch("training of speech")
    base = open_base(folder)
    require_room(out, (len(options.tuning.shares) + 1) * _size(folder), "the model")
    language = options.language or folder.language
    if base.config.languages and language_code(language) not in base.config.languages:
        raise DatasetError(
            f"{folder.name} knows many languages, and {language or 'none'} is named",
            hint="name the language of the recordings, such as --language de-DE",
        )
    begun = time.monotonic()
    parts = hold_back(listed.recordings, seed=options.seed)
    tokens = WhisperTokens(base.config)
    taught, held, notes = _examples(listed, parts.taught, parts.held, tokens, language_code(language), told)
    examined = replace(listed, recordings=parts.held)
    english = not language or language_code(language) == "en"
    before = _measured(folder, examined, options, _part(told, _READ, _HEARD), english=english)
    learnt = _tuned(base, taught, held, options, _part(told, _HEARD, _TUNED))
    about = About(
        name=out.resolve().name,
        release=options.release,
        language=language,
        taught=len(taught),
        minutes=sum(len(one.sound) for one in taught) / RATE / 60,
        speakers=len({one.speaker for one in parts.taught} - {""}),
        held=parts.how,
        how=learnt.how,
        seconds=time.monotonic() - begun,
        notes=notes,
    )
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as place:
            candidates = []
            for number, share in enumerate(options.tuning.shares):
                made = Path(place) / str(number)
                made.mkdir(mode=0o755)
                step = _part(
                    told,
                    *(_TUNED + (1 - _TUNED) * at / len(options.tuning.shares) for at in (number, number + 1)),
                )
                step("writing the model", 0.0)
                written = write_model(made, base, learnt.at(share), about)
                after = _measured(written, examined, options, step, english=english)
                candidates.append((share, made, after))
            share, made, after = candidates[chosen([one for _, _, one in candidates])]
            about = replace(about, how=f"{about.how}, {100 * share:.0f} % of the way from the base")
            write_card(made, folder, about, (before, after), now())
            made.replace(out)
            sync_directory(out.parent)
    except OSError as error:
        raise DatasetError(f"cannot write {out}: {error.strerror}") from error
    return Trained(folder=SpeechFolder.open(out), before=before, after=after, about=about)


def chosen(candidates: Sequence[Evaluation]) -> int:
    """Return which model is the first that the best of them does not surpass beyond chance.

    Args:
        candidates: On the same recordings; the first has moved least from the base, and forgotten least.
    """
    best = min(candidates, key=lambda one: one.errors.errors)
    for number, one in enumerate(candidates):
        found = between(one, best).all
        if not (found.sure and found.value < 0):
            return number
    return candidates.index(best)


def _size(folder: SpeechFolder) -> int:
    return sum((folder.path / name).stat().st_size for name in folder.graphs.files.values())


def _part(told: Told, begin: float, end: float) -> Told:
    return lambda step, share: told(step, begin + (end - begin) * share)


def _examples(
    listed: RecordingSet,
    taught: Sequence[Recording],
    held: Sequence[Recording],
    tokens: WhisperTokens,
    language: str,
    told: Told,
) -> tuple[list[Example], list[Example], list[str]]:
    """Read all recordings; return those that teach, those that examine, and what is to be said of them."""
    learnt, left_out = read_examples(listed, taught, tokens, language, told=_part(told, 0, _READ))
    examples, _ = read_examples(listed, held, tokens, language, told=_part(told, _READ, _READ))
    seconds = sum(len(one.sound) for one in learnt) / RATE
    if len(learnt) < LEAST * 2 // 3 or seconds < LEAST_MINUTES * 60 or not examples:
        raise DatasetError(
            f"{listed.name} leaves {len(learnt)} recordings of {seconds:.0f} seconds to learn from, which is"
            " too little",
            hint=f"record at least {LEAST_MINUTES:g} minute; what is longer than 29 seconds is not learnt"
            " from: cut it into sentences",
        )
    notes = []
    if left_out:
        notes.append(
            f"{left_out} recordings were not learnt from: they have no text, or are longer than 29 seconds."
        )
    texts = [one.text for one in taught if one.text]
    if all(text == " ".join(spoken_words(text, english=False)) for text in texts):
        notes.append(
            "The transcripts are in lower case without punctuation, and so the model writes now. A display"
            " model can add marks and capitals."
        )
    return learnt, examples, notes


def _measured(
    folder: SpeechFolder, recordings: RecordingSet, options: Options, told: Told, *, english: bool
) -> Evaluation:
    return evaluate_model(
        [folder],
        recordings,
        model=folder.name,
        threads=options.threads,
        least=options.least,
        english=english,
        told=told,
    )


def _tuned(
    base: Base, taught: Sequence[Example], held: Sequence[Example], options: Options, told: Told
) -> _Learnt:
    """Learn from examples.

    Raises:
        DatasetError: No epoch was better than none.
    """
    import torch  # noqa: PLC0415  (an optional extra)

    from appliance.speech.training.torch_whisper import TorchWhisper, learnt_names  # noqa: PLC0415
    from appliance.speech.training.tune import tune  # noqa: PLC0415

    torch.set_num_threads(options.threads or usable_cores())
    torch.manual_seed(options.seed)
    tuning = replace(options.tuning, seed=options.seed)
    layers = base.weights.layers["encoder"]
    learns = learnt_names(base.weights.names(), layer=tuning.first, layers=layers)
    network = TorchWhisper(base.weights, bits=base.bits, learns=learns.__contains__, seed=options.seed)
    begun = network.weights()
    course = tune(network, taught, held, tuning, seconds=options.minutes * 60, told=told)
    if not course.best:
        raise DatasetError(
            "learning from these recordings did not help on those held back, so nothing was written",
            hint="check that the transcripts say what is heard, and take more recordings or more --minutes",
        )
    ended = "when the time was up" if course.out_of_time else f"of {len(course.losses) - 1}"
    above = "all layers" if not tuning.first else f"the decoder and {layers - tuning.first} layers below it"
    how = f"{above} learnt, weights of epoch {course.best} {ended}"
    return _Learnt(begun=begun, ended=network.weights(), how=how)
