"""`appliance speech train`: options in, one call, text out."""

from pathlib import Path

import click

from appliance.cli.models.opening import read_installation
from appliance.cli.options import example, json_option, print_json, release_option, settings_argument
from appliance.cli.progress import Progress
from appliance.cli.speech.model_names import opened_speech_model
from appliance.cli.speech.recording_options import MAX_SHOWN, audio_option, text_options
from appliance.cli.speech.text_training import AdaptOrder, adapt_by_text
from appliance.errors import SettingsError
from license.console.outputs import OutputFolder
from license.files import quoted


@click.command(
    "train",
    epilog=example(
        "appliance speech train recordings.jsonl --out models/mine",
        "appliance speech train trans.txt --audio audio.zip --out models/mine --minutes 30",
        "appliance speech train --text domain.txt --base speech-en --out models/mine --test recordings.jsonl",
    ),
)
@click.argument("recordings", type=click.Path(path_type=Path), required=False)
@click.option("--out", type=OutputFolder(new=True), required=True, help="New folder for the model.")
@click.option(
    "--base",
    default="whisper-tiny-en",
    show_default=True,
    metavar="MODEL",
    help="The model to start from: a bundled one by its name, or a folder. Recordings train a Whisper only.",
)
@text_options
@audio_option
@click.option(
    "--minutes",
    type=click.FloatRange(0.01, 10_000),
    default=60,
    show_default=True,
    help="Time for learning; it may end earlier.",
)
@click.option("--language", default="", help="Of the recordings, such as de-DE (default: that of the base).")
@release_option
@click.option(
    "--seed", type=int, default=1, show_default=True, help="Of order, and of which recordings are held back."
)
@click.option(
    "--worst",
    type=click.IntRange(0, MAX_SHOWN),
    default=5,
    show_default=True,
    help="Recordings shown with texts.",
)
@json_option
@settings_argument
def train_command(  # noqa: PLR0913, PLR0917 (one parameter for each option)
    recordings: Path | None,
    out: Path,
    base: str,
    text: Path | None,
    phrases: Path | None,
    pronunciations: Path | None,
    test: Path | None,
    audio: Path | None,
    minutes: float,
    language: str,
    release: str,
    seed: int,
    worst: int,
    as_json: bool,
    words: tuple[str, ...],
) -> None:
    """Train a speech model on recordings with transcripts, or on text alone.

    RECORDINGS is a list as `appliance speech evaluate` takes it. A tenth is held back: whole speakers, where
    the list names them. The model is a folder that Mounts:Model serves. Needs the extra `train`; no network.

    Without recordings, --text, --phrases or --pronunciations adapt a Whisper or CTC model in seconds and
    without the extra. Measure that with --test.

    Of the settings, Speech:LeastConfidencePercent and Engine:Sessions count.
    """
    if recordings is not None and not recordings.exists():
        if "=" not in str(recordings):
            raise click.BadParameter(f"Path '{recordings}' does not exist", param_hint="RECORDINGS")
        words, recordings = (str(recordings), *words), None  # a setting, where no recordings are named
    sources = (text, phrases, pronunciations)
    if any(sources):
        if recordings is not None:
            raise SettingsError(
                "recordings and text are learnt from one after the other",
                hint="train on the recordings first; then name that folder as --base, and with it"
                " the text alone",
            )
        adapt_by_text(AdaptOrder(base, out, release, *sources, test, audio, worst, as_json), words)
        return
    if recordings is None or test is not None:
        raise SettingsError(
            "there is nothing to learn from" if recordings is None else "--test is for learning from text",
            hint="name recordings, or one of --text, --phrases and --pronunciations",
        )
    from appliance.host.torch_extra import require_torch
    from appliance.speech.dataset.recordings import open_recordings
    from appliance.speech.evaluation.report import evaluation_object, lines
    from appliance.speech.training.custom_folder import gain_sentence
    from appliance.speech.training.train_custom import Options, train

    settings = read_installation(words).settings
    require_torch("training of speech")
    folder = opened_speech_model(base)
    options = Options(
        minutes=minutes,
        release=release,
        language=language,
        threads=settings.sessions,
        least=settings.speech_least_percent / 100,
        seed=seed,
    )
    with open_recordings(recordings, audio) as listed:
        made = train(folder, listed, out, options, told=Progress())
    both = (made.before, made.after)
    if as_json:
        about = made.about
        print_json(
            {
                "model": str(out),
                "seconds": round(about.seconds, 1),
                "learntFrom": {"recordings": about.taught, "minutes": round(about.minutes, 1)},
                "examinedOn": about.held,
                "training": about.how,
                "notes": list(about.notes),
                **evaluation_object(both, worst),
            }
        )
        return
    for line in lines(both, worst):
        click.echo(line)
    click.echo(f"\n{gain_sentence(*both)}")
    for note in made.about.notes:
        click.echo(f"note: {note}")
    click.echo(
        f"learnt from {made.about.taught} recordings in {made.about.seconds / 60:.1f} minutes; examined on"
        f" {made.about.held}"
    )
    click.echo(f"next: appliance serve Service=speechtotext Mounts:Model={quoted(out)}")
