"""`appliance transcribe`: recordings to text and subtitles, counted as the service counts them."""

import asyncio
import os
import signal
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from appliance.cli.options import example, roots_option
from appliance.config.products import SPEECH_TO_TEXT
from appliance.errors import IdentityError, LedgerLocked, SettingsError
from appliance.speech.transcripts.formats import FORMATS
from appliance.transcribing.plan import ENDINGS, Plan, collision, plan
from license.console.outputs import OutputFolder as OutputFolderType
from license.console.refusal import WrongUsage

if TYPE_CHECKING:
    from appliance.config.settings import Settings
    from appliance.licensing.installation import Installation
    from appliance.server.app import Appliance
    from appliance.transcribing.batch import Batch
    from appliance.transcribing.outputs import OutputFolder as Folder
    from appliance.transcribing.outputs import StandardOutput

_BESIDE: Final = (
    "to work beside the service, give this command an installation of its own: another Mounts:License and "
    "Mounts:State, with a licence asked for there"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Order:
    """What was asked for."""

    plan: Plan
    kind: str
    language: str
    phrases: tuple[str, ...]


@click.command(
    "transcribe",
    epilog=example(
        "appliance transcribe calls/ interview.mp3 --format srt --out subtitles/ Eula=accept \\",
        "    Mounts:License=/etc/appliance/license Mounts:Output=/var/lib/appliance/output",
    ),
)
@click.argument(
    "files", nargs=-1, type=click.UNPROCESSED, required=True, metavar="FILE|DIR... [Key=Value]..."
)
@click.option(
    "--format",
    "kind",
    type=click.Choice(FORMATS),
    default="txt",
    show_default=True,
    help="txt: a phrase a line. srt, vtt: subtitles. json: as `:transcribe` answers, with times of words.",
)
@click.option(
    "--out",
    type=OutputFolderType(dash=True),
    required=True,
    help="Directory for the transcripts; - prints the one of a single recording.",
)
@click.option("--language", default="", help="What is spoken, such as de-DE.")
@click.option("--phrase", "phrases", multiple=True, help="Words to prefer; may be given many times.")
@roots_option
def transcribe(
    files: tuple[str, ...],
    kind: str,
    out: Path,
    language: str,
    phrases: tuple[str, ...],
    roots: Path | None,
) -> None:
    """Write down what is said in recordings.

    A directory is walked to the bottom, and its transcripts lie below --out as its recordings lie in it. What
    is done already is not done, and not counted, again. The licence and the usage log are those of
    `appliance serve Service=speechtotext`, and so are the settings, given as Key=Value.
    """
    from appliance.licensing.installation import is_setting

    _check_phrases(phrases)
    words = [word for word in files if is_setting(word)]
    paths = [_existing(word) for word in files if not is_setting(word)]
    planned = _planned(paths, kind, to_screen=str(out) == "-")
    order = _Order(plan=planned, kind=kind, language=language, phrases=phrases)
    installation = _installation(words, roots)
    _run(installation, order, out)


def _check_phrases(phrases: Sequence[str]) -> None:
    from appliance.speech.adaptation.adaptation import MAX_PHRASE_CHARACTERS, MAX_PHRASES

    if len(phrases) > MAX_PHRASES or any(len(phrase) > MAX_PHRASE_CHARACTERS for phrase in phrases):
        raise click.UsageError(
            f"--phrase takes {MAX_PHRASE_CHARACTERS} characters, and there may be {MAX_PHRASES} of them"
        )


def _existing(word: str) -> Path:
    from appliance.licensing.installation import likely_setting

    path = Path(word)
    if not path.exists():
        key, equals, _ = word.partition("=")
        hint = (
            equals and likely_setting(key)
        ) or "name recordings, directories of them, and settings Key=Value"
        raise WrongUsage(f"there is no file or directory {word}", hint, click.get_current_context())
    return path


def _planned(paths: Sequence[Path], kind: str, *, to_screen: bool) -> Plan:
    from appliance.cli.speech.transcribe_progress import passed_line

    ctx = click.get_current_context()
    planned = plan(paths, kind)
    named = " ".join(map(str, paths))
    if not paths:
        raise WrongUsage("no recording is named", "name files, or directories of them", ctx)
    if planned.passed:
        click.echo(passed_line(planned.passed), err=True)
    if not planned.recordings:
        endings = " ".join(sorted(ENDINGS))
        raise WrongUsage(f"there is no recording in {named}", f"names of recordings end in {endings}", ctx)
    if to_screen and len(planned.recordings) > 1:
        count = len(planned.recordings)
        raise WrongUsage(f"--out - prints one transcript, and there are {count}", "name a directory", ctx)
    both = collision(planned.recordings)
    if both is not None:
        raise WrongUsage(
            f"{both[0].path} and {both[1].path} would both be written to {both[1].output}",
            "rename one, or run the command once for each with another --out",
            ctx,
        )
    return planned


def _installation(words: Sequence[str], roots: Path | None) -> "Installation":
    """Read the settings; the service is speech, whatever the host's settings file says."""
    from appliance.cli.models.speech_choice import at_place
    from appliance.licensing.installation import Installation
    from appliance.observability import logging as logs

    for word in words:
        key, _, value = word.partition("=")
        if key.lower() == "service" and value != SPEECH_TO_TEXT.name:
            raise SettingsError(f"{word}: recordings are transcribed by speechtotext", hint="leave it out")
    named = [*words, f"Service={SPEECH_TO_TEXT.name}"]
    installation = Installation.read(named, os.environ, roots_directory=roots)
    settings = installation.settings
    settings.require_eula()
    if settings.download_license:
        raise SettingsError("DownloadLicense has no meaning here", hint="see appliance license download")
    level = "warning" if settings.log_level == "information" else settings.log_level
    logs.configure(level, settings.console_level, console_format=settings.console_format)
    return replace(installation, settings=at_place(settings))


def _require_own(installation: "Installation") -> None:
    """Refuse to work as root with the keys of a service that has a user of its own.

    Raises:
        IdentityError: It would leave files in the service's directories that the service cannot write.
    """
    state, user = installation.state, os.geteuid()
    owner = state.stat().st_uid if state.is_dir() else user
    if owner != user:
        raise IdentityError(
            f"the keys in {state} belong to user {owner}, and this is user {user}: the service could not "
            "write what this command leaves behind",
            hint=f"run it as user {owner}, or, {_BESIDE}",
        )


def _run(installation: "Installation", order: _Order, out: Path) -> None:
    """Transcribe, and end as the outcome wants it.

    Raises:
        ApplianceError, LicenseError, OSError: Something keeps every recording from being transcribed, or
            kept one.
    """
    from appliance.cli.speech.transcribe_progress import summary
    from appliance.server.opening import open_appliance
    from appliance.transcribing.batch import Result
    from appliance.transcribing.errors import NotTranscribed

    _require_own(installation)
    try:
        appliance = open_appliance(installation)
    except LedgerLocked as error:
        raise LedgerLocked(error.message, hint=f"{error.hint}; {_BESIDE}") from None
    try:
        outputs = _outputs(out)
    except BaseException:
        appliance.close_unstarted()
        raise
    with closing(outputs):
        stopped, batch = asyncio.run(_serve(appliance, order, outputs))
    total = len(order.plan.recordings)
    failed = sum(outcome.result is Result.FAILED for outcome in batch.outcomes)
    click.echo(summary(batch.outcomes, total), err=True)
    if batch.refusal is not None:
        raise batch.refusal
    if stopped:
        raise click.exceptions.Exit(128 + stopped)
    if failed:
        _tell_failed(batch)
        were = "was" if failed == 1 else "were"
        raise NotTranscribed(
            f"{failed} of {total} recordings {were} not transcribed",
            hint="put right what the lines above say, and run the command again: the others are not redone",
        )


def _outputs(out: Path) -> "Folder | StandardOutput":
    """Open where the transcripts go: only now, so that a refused start leaves no directory behind."""
    from appliance.transcribing.outputs import OutputFolder, StandardOutput

    return StandardOutput() if str(out) == "-" else OutputFolder(out)


def _tell_failed(batch: "Batch") -> None:
    from appliance.cli.speech.transcribe_progress import shown
    from appliance.transcribing.batch import Result

    click.echo("not transcribed:", err=True)
    for outcome in batch.outcomes:
        if outcome.result is Result.FAILED:
            hint = f" ({shown(outcome.hint)})" if outcome.hint else ""
            click.echo(f"  {shown(outcome.recording.path)}: {shown(outcome.message)}{hint}", err=True)


async def _serve(
    appliance: "Appliance", order: _Order, outputs: "Folder | StandardOutput"
) -> "tuple[int, Batch]":
    """Load the model and transcribe; return the signal that ended it, or 0, and what became of each."""
    from appliance.services.speech import SpeechService

    service = appliance.service
    if not isinstance(service, SpeechService):
        raise TypeError("only the speech service transcribes")
    stop, signals = asyncio.Event(), [0]
    loop = asyncio.get_running_loop()

    def end(number: int) -> None:
        signals[0] = number
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, end, number)
    maintenance = asyncio.create_task(appliance.maintenance.run())
    try:
        await service.load()
        batch = await asyncio.to_thread(_batch, service, appliance.settings, order, outputs)
        if not stop.is_set():
            await batch.run(order.plan.recordings, stop)
        return signals[0], batch
    finally:
        maintenance.cancel()
        await appliance.close(0)


def _batch(service: Any, settings: "Settings", order: _Order, outputs: "Folder | StandardOutput") -> "Batch":
    from appliance.cli.speech.transcribe_progress import Progress
    from appliance.speech.decoding.segment import Preferences
    from appliance.speech.model.kind import served_folders
    from appliance.speech.transcripts.transcription import Wanted
    from appliance.transcribing.batch import Batch, Manner
    from appliance.transcribing.outputs import folder_sha256, model_facts

    engine, spoken = service.admission.engine, service.admission.spoken
    if order.language and not spoken.includes(order.language):
        raise SettingsError(
            f"the language {order.language} is not spoken by the model, which speaks {spoken}",
            hint="leave --language out, or name another model with Mounts:Model=DIRECTORY",
        )
    activity = settings.speech_activity
    place, *closed = served_folders(settings.model_mount, settings.bundled_speech)
    languages = (order.language,) if order.language else ()
    manner = Manner(
        kind=order.kind,
        spoken=spoken,
        wanted=Wanted(preferences=Preferences(phrases=order.phrases, languages=languages)),
        model=model_facts(name=engine.folder.name, release=engine.folder.release, folder=place),
        options={
            "format": order.kind,
            "language": order.language or spoken.locale,
            "phrases": list(order.phrases),
            "leastConfidencePercent": settings.speech_least_percent,
            "display": list(settings.display_types),
            "closedVocabularyModel": "".join(map(folder_sha256, closed)),
            "activityModel": "" if activity is None else folder_sha256(activity),
        },
    )
    return Batch(
        pipeline=service.pipeline,
        engine=engine,
        outputs=outputs,
        manner=manner,
        watcher=Progress(len(order.plan.recordings)),
    )
