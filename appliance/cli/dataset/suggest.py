"""`appliance dataset suggest`: labels that a served model proposes, as label files for people to correct."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import click

from appliance.cli.options import example, json_option, print_json
from appliance.cli.service_client import NotAnswered, ServiceClient
from appliance.config.setting_parsers import is_name
from appliance.datasets.conversion_report import counts
from appliance.datasets.document import Labelled, LabelledDocument, categories_of
from appliance.datasets.formats.label_writer import files_of, write_files
from appliance.datasets.formats.plain_texts import read_texts
from appliance.datasets.formats.registry import BY_NAME, PROJECT, WRITABLE
from appliance.datasets.label_errors import DatasetError
from appliance.datasets.project import write_project
from license.console.outputs import OutputFolder
from license.files import quoted, read_limited


@click.command(
    "suggest",
    epilog=example(
        "appliance dataset suggest new-contracts/ --model loans/v1 --out proposed --to label-studio"
    ),
)
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True), metavar="FILES|FOLDER..."
)
@click.option("--model", required=True, metavar="PROJECT/NAME", help="The model, as callers name it.")
@click.option("--out", type=OutputFolder(new=True), required=True, help="New folder for what is made.")
@click.option(
    "--to", "made", type=click.Choice(WRITABLE), default="jsonl", show_default=True, help="Format to write."
)
@click.option(
    "--url", default="http://127.0.0.1:5000", show_default=True, help="Address of the running service."
)
@click.option(
    "--key-file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="File with an access key, where the service asks for one.",
)
@json_option
def suggest_command(
    files: tuple[Path, ...],
    model: str,
    out: Path,
    made: str,
    url: str,
    key_file: Path | None,
    as_json: bool,
) -> None:
    """Have a model label texts, and write its proposals for people to correct and to train on.

    FILES are texts, or JSON Lines with a `text` each; a folder may hold both. The running service answers,
    from encrypted packages too, and counts the texts as any others: a text record for each 1,000 characters.
    """
    client = _client(model, url, key_file)
    documents = read_texts(files)
    done: list[LabelledDocument] = []
    failure: NotAnswered | None = None
    try:
        for found in client.ask([document.text for document in documents]):
            for labels in found:
                done.append(replace(documents[len(done)], labels=labels))
            click.echo(f"{len(done)} of {len(documents)} texts", err=True)
    except NotAnswered as error:
        if not done:
            raise
        failure = error
    _write(done, made, out)
    count = sum(len(document.labels) for document in done)
    if failure is not None:
        # What was answered was counted; it must not have to be asked for again.
        raise NotAnswered(
            f"{len(done)} of {len(documents)} texts were answered and are in {out};"
            f" from {documents[len(done)].name} on: {failure.message}",
            hint=failure.hint,
        )
    if as_json:
        print_json(
            {
                "folder": str(out),
                "texts": len(done),
                "labels": count,
                "categories": sorted(categories_of(done)),
            }
        )
        return
    click.echo(f"{out}: {counts(len(done), 'text')}, {counts(count, 'label')} proposed by {model}")
    click.echo(f"next: correct them, then appliance train {quoted(out)} --out MODEL")


def _client(model: str, url: str, key_file: Path | None) -> ServiceClient:
    project, slash, name = model.partition("/")
    if not slash or not is_name(project) or not is_name(name):
        raise DatasetError(
            f"{model[:80]!r} names no model of a running service",
            hint="say PROJECT/NAME as `/models` lists it; only the service answers texts, and counts them",
        )
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise DatasetError(
            f"{url[:80]!r} is not the address of a service", hint="such as --url http://127.0.0.1:5000"
        )
    key = read_limited(key_file, 4096).decode(errors="replace").strip() if key_file else ""
    if not key.isascii() or not key.isprintable():
        raise DatasetError("the key file holds no key", hint="one line of printable ASCII characters")
    return ServiceClient(url=url, project=project, deployment=name, key=key)


def _write(documents: Sequence[LabelledDocument], made: str, out: Path) -> None:
    labelled = Labelled(
        name=out.resolve().name,
        categories=tuple(sorted(categories_of(documents))),
        documents=tuple(documents),
        language="en",
    )
    if made == PROJECT.name:
        write_project(labelled, out)
        return
    write_files(files_of(labelled, BY_NAME[made]), out)
