"""`license pack`: a model folder becomes an encrypted release of a model line."""

from __future__ import annotations

from pathlib import Path

import click

from license.authority.cli.common import example, home_option, json_option, open_authority, print_json
from license.console.outputs import OutputFolder
from license.console.progress import waiting


@click.command(epilog=example("license pack model --line ner-en/3 --release 1.0.0 --task ner"))
@click.argument("model_dir", type=click.Path(path_type=Path))
@click.option("--line", required=True, help="Model line, such as ner-en/3; made if it is new.")
@click.option("--release", help="Release of the line; default: as model.json says.")
@click.option("--task", help="What the model does; default: as model.json says.")
@click.option("--name", help="Name for people; default: as model.json says, or the line's.")
@click.option("--out", type=OutputFolder(), help="Directory; default: what serve offers.")
@home_option
@json_option
def pack(
    model_dir: Path,
    line: str,
    release: str | None,
    task: str | None,
    name: str | None,
    out: Path | None,
    home: Path,
    as_json: bool,
) -> None:
    """Encrypt a model folder as a release of a model line.

    All files in MODEL_DIR are packed. A new release of a line opens with the licences customers have; a new
    line needs new ones. A release never changes once it exists.
    """
    from license.authority.keys.model_lines import line_path, lines
    from license.authority.models.describe import describe

    about = describe(model_dir, line=line, release=release, task=task, name=name)
    with open_authority(home) as authority:
        if line not in lines(home):
            authority.create_line(line)
            click.echo(f"new line {line}: back up {line_path(home, line)}, every package needs it", err=True)
        with waiting(f"encrypting {model_dir}"):
            manifest, files = authority.pack(
                model_dir,
                line=line,
                release=about.release,
                name=about.name,
                task=about.task,
                out=out,
                language=about.language,
            )
    for path in (files.package, files.manifest, files.issuer):
        click.echo(f"wrote {path}", err=True)
    if as_json:
        print_json({**manifest.to_claims(), "package": str(files.package)})
    else:
        click.echo(f"{manifest.sha256}  {files.package}")
