"""What `appliance speech train` does with text: files in, one call, text out."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from appliance.cli.models.opening import read_installation
from appliance.cli.options import print_json
from appliance.cli.progress import Progress
from appliance.cli.speech.model_names import opened_speech_model
from appliance.errors import SettingsError
from license.files import quoted, read_limited

if TYPE_CHECKING:
    from appliance.speech.evaluation.evaluate import Evaluation
    from appliance.speech.model.folder import SpeechFolder


@dataclass(frozen=True, slots=True)
class AdaptOrder:
    """What the options say."""

    base: str
    out: Path
    release: str
    text: Path | None
    phrases: Path | None
    pronunciations: Path | None
    test: Path | None
    audio: Path | None
    worst: int
    as_json: bool


def adapt_by_text(order: AdaptOrder, words: tuple[str, ...]) -> None:
    """Adapt a model, measure it where recordings are named, and say what was done.

    Raises:
        SettingsError: A file is no UTF-8.
        ModelError: The base or a file is refused.
        DatasetError: The recordings are refused, or the folder cannot be written.
    """
    from appliance.speech.adaptation.adaptation import MAX_LIST_BYTES
    from appliance.speech.adaptation.domain_text import MAX_TEXT_BYTES
    from appliance.speech.evaluation.report import evaluation_object, lines
    from appliance.speech.training.adapt import Sources, adapt
    from appliance.speech.training.custom_folder import gain_sentence

    settings = read_installation(words).settings
    base = opened_speech_model(order.base)
    sources = Sources(
        text=_content(order.text, MAX_TEXT_BYTES),
        phrases=_content(order.phrases, MAX_LIST_BYTES),
        pronunciations=_content(order.pronunciations, MAX_LIST_BYTES),
    )
    made = adapt(base, sources, order.out, release=order.release)
    both = None
    if order.test is not None:
        least, threads = settings.speech_least_percent / 100, settings.sessions
        both = _measured((base, made.folder), order.test, order.audio, threads=threads, least=least)
    if order.as_json:
        measured = evaluation_object(both, order.worst) if both is not None else {}
        about = {"model": str(order.out), "seconds": round(made.seconds, 1), "learntFrom": list(made.learnt)}
        print_json({**about, **measured})
        return
    for sentence in made.learnt:
        click.echo(f"learnt: {sentence}")
    click.echo(f"made from {base.name} in {made.seconds:.1f} seconds")
    if both is not None:
        click.echo("\n" + "\n".join(lines(both, order.worst)))
        click.echo(f"\n{gain_sentence(*both)}")
    else:
        named = f"--model {quoted(Path(order.base))} --model {quoted(order.out)}"
        click.echo(f"whether it hears better, recordings tell: appliance speech evaluate RECORDINGS {named}")
    click.echo(f"next: appliance serve Service=speechtotext Mounts:Model={quoted(order.out)}")


def _measured(
    folders: "tuple[SpeechFolder, SpeechFolder]",
    test: Path,
    audio: Path | None,
    *,
    threads: int,
    least: float,
) -> "tuple[Evaluation, Evaluation]":
    from appliance.speech.dataset.recordings import open_recordings
    from appliance.speech.evaluation.evaluate import evaluate_model
    from appliance.speech.model.kind import language_code

    english = all(not folder.language or language_code(folder.language) == "en" for folder in folders)
    found = []
    with open_recordings(test, audio) as listed:
        for folder in folders:
            found.append(
                evaluate_model(
                    [folder],
                    listed,
                    model=folder.name,
                    threads=threads,
                    least=least,
                    english=english,
                    told=Progress(),
                )
            )
    return found[0], found[1]


def _content(path: Path | None, limit: int) -> str:
    if path is None:
        return ""
    try:
        return read_limited(path, limit).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path} is not UTF-8", hint="save the file as UTF-8") from error
