"""`appliance speech evaluate`: options in, one call, text out."""

from pathlib import Path

import click

from appliance.cli.models.opening import read_installation
from appliance.cli.options import example, json_option, print_json, settings_argument
from appliance.cli.progress import Progress
from appliance.cli.speech.model_names import opened_speech_models
from appliance.cli.speech.recording_options import MAX_SHOWN, audio_option
from appliance.errors import SettingsError


@click.command(
    "evaluate",
    epilog=example(
        "appliance speech evaluate recordings.jsonl --model speech-en --model models/mine",
        "appliance speech evaluate trans.txt --audio audio.zip --phrases names.txt",
    ),
)
@click.argument("recordings", type=click.Path(path_type=Path, exists=True))
@click.option(
    "--model",
    "models",
    multiple=True,
    metavar="MODEL",
    help="A model folder, whisper-tiny-en, speech-en, or `both`, these two together; given twice, two are "
    "compared (default: Models:Speech).",
)
@audio_option
@click.option(
    "--phrases",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="File of words and phrases to prefer, one a line.",
)
@click.option(
    "--worst",
    type=click.IntRange(0, MAX_SHOWN),
    default=10,
    show_default=True,
    help="Recordings shown with texts.",
)
@json_option
@settings_argument
def evaluate_command(
    recordings: Path,
    models: tuple[str, ...],
    audio: Path | None,
    phrases: Path | None,
    worst: int,
    as_json: bool,
    words: tuple[str, ...],
) -> None:
    """Count the words that one or two models hear wrong in recordings with transcripts.

    RECORDINGS is a list with the path and text of each, and perhaps its speaker, as JSON lines or CSV; or
    trans.txt with a name, a tab and a text in each line; or a folder or ZIP archive with such a list.

    Texts are compared in lower case, without punctuation, and with numbers in words. Of the settings,
    Speech:LeastConfidencePercent and Engine:Sessions count.
    """
    from appliance.speech.dataset.recordings import open_recordings
    from appliance.speech.evaluation.evaluate import evaluate_model
    from appliance.speech.evaluation.report import evaluation_object, lines
    from appliance.speech.model.kind import BOTH, BUNDLED

    settings = read_installation(words).settings
    chosen = settings.bundled_speech
    names = models or (BOTH if chosen == BOTH else BUNDLED[chosen].name,)
    if len(names) > 2:
        raise SettingsError(f"{len(names)} models are named", hint="name one --model, or two to compare them")
    each = [opened_speech_models(name) for name in names]
    folders = [folder for served in each for folder in served]
    english = all(folder.language.lower().startswith("en") or not folder.language for folder in folders)
    preferred = _phrases(phrases)
    found = []
    with open_recordings(recordings, audio) as listed:
        for name, served in zip(names, each, strict=True):
            found.append(
                evaluate_model(
                    served,
                    listed,
                    model=name,
                    threads=settings.sessions,
                    least=settings.speech_least_percent / 100,
                    phrases=preferred,
                    english=english,
                    told=Progress(),
                )
            )
    if as_json:
        print_json(evaluation_object(found, worst))
        return
    for line in lines(found, worst):
        click.echo(line)


def _phrases(path: Path | None) -> list[str]:
    """Read a phrase list, within the limits of a request.

    Raises:
        SettingsError: It is longer than a request may carry, or no text.
    """
    from appliance.speech.adaptation.adaptation import MAX_PHRASE_CHARACTERS, MAX_PHRASES
    from license.files import read_limited

    if path is None:
        return []
    try:
        text = read_limited(path, 4 * MAX_PHRASES * MAX_PHRASE_CHARACTERS).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path} is not UTF-8", hint="save the phrase list as UTF-8") from error
    found = [line.strip() for line in text.splitlines() if line.strip()]
    if len(found) > MAX_PHRASES or any(len(phrase) > MAX_PHRASE_CHARACTERS for phrase in found):
        raise SettingsError(
            f"{path} has more than {MAX_PHRASES} phrases, or one beyond {MAX_PHRASE_CHARACTERS} characters",
            hint="a request may not carry more either: shorten the list",
        )
    return found
