"""Licences for the operator: the result table, the command to run next, and what will stop."""

import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from appliance.cli.license.container_text import run_in_container
from appliance.config.products import CUSTOM_NER
from appliance.config.state_place import KEYS_FOLDER
from appliance.licensing.installation import Installation, program
from license.encoding.strict import format_date, format_time
from license.licenses.terms import Plan
from license.licenses.validity import days_left, days_text
from license.licenses.verify import AuthenticLicense
from license.text import license_json, table


def result_table(licensed: AuthenticLicense, note: Path, *, now: int, packages: Sequence[Path] = ()) -> str:
    """Return what a person wants to know of the licence that was just saved.

    Args:
        licensed: The licence.
        note: Where it was saved.
        now: Effective time, Unix seconds.
        packages: Model packages that were saved besides.
    """
    license = licensed.license
    begins = [("Valid from", format_time(license.not_before))] if license.not_before > now else []
    return table(
        [
            ("Saved", str(note)),
            *(("Package", str(package)) for package in packages),
            ("Customer", license.customer),
            ("Product", license.product),
            ("Models", ", ".join(model.train for model in license.models) or "any that needs no key"),
            ("Licence", f"{license.id}, serial {license.serial}, tier {license.plan.tier}"),
            *begins,
            ("Expires", f"in {days_text(days_left(license, now))}, {format_time(license.expires)}"),
            ("Last answer", format_time(license.terminates)),
            *(
                (
                    f"Included {meter.rpartition('.')[2]}",
                    f"{units:,} until {format_date(license.plan.period[1])}",
                )
                for meter, units in license.plan.meters
            ),
        ]
    )


def result_json(
    installation: Installation,
    licensed: AuthenticLicense,
    note: Path | None,
    *,
    now: int,
    packages: Sequence[Path] = (),
) -> dict[str, Any]:
    """Return the same for programs, with the commands to run next.

    Args:
        installation: Where it was saved.
        licensed: The licence.
        note: Where it was saved; None if it was only looked at.
        now: Effective time, Unix seconds.
        packages: Model packages that were saved besides.
    """
    return {
        "saved": None if note is None else str(note),
        "packages": [str(package) for package in packages],
        **license_json(licensed, now),
        "run": run_commands(installation),
    }


def term_words(plan: Plan) -> str:
    """Say for how long the included units are meant."""
    return "each month" if plan.monthly else f"until {format_date(plan.period[1])}"


def run_commands(installation: Installation) -> list[str]:
    """Return the commands that serve from now on, each correct when it is pasted into a shell."""
    settings = installation.settings
    if settings.image_name:
        return [run_in_container(settings, installation.license_directory())]
    output = (settings.output_mount or _usual_output(installation)).absolute()
    words = [*program(), "Eula=accept", f"Mounts:License={installation.license_directory().absolute()}"]
    if installation.roots_directory is not None:
        words[-2:-2] = ["serve", "--roots", str(installation.roots_directory.absolute())]
    if settings.service is not CUSTOM_NER:
        words.append(f"Service={settings.service.name}")
    if settings.state_mount is not None:
        words.append(f"Mounts:State={settings.state_mount.absolute()}")
    if settings.model_mount is not None:
        words.append(f"Mounts:Model={settings.model_mount.absolute()}")
    words.append(f"Mounts:Output={output}")
    there = os.path.isdir(output)  # noqa: PTH112 (the licence is saved: a closed directory is no error here)
    make = [] if there else [shlex.join(["install", "-d", "-m", "0700", str(output)])]
    return [*make, shlex.join(words)]


def _usual_output(installation: Installation) -> Path:
    """Beside the keys; where these lie with the licence, beside it."""
    if installation.ledgers is None and installation.state.name != KEYS_FOLDER:
        return installation.state / "output"
    return installation.license_directory().parent / "output"


def install_command(installation: Installation) -> str:
    """Return the command that installs what the vendor answers, with the settings that the request had."""
    settings = installation.settings
    words = ["appliance", "license", "install", "license.note", "issuer.note"]
    if installation.roots_directory is not None:
        words += ["--roots", str(installation.roots_directory)]
    if settings.service is not CUSTOM_NER:
        words.append(f"Service={settings.service.name}")
    if settings.license_mount is not None:
        words.append(f"Mounts:License={settings.license_mount}")
    if settings.state_mount is not None:
        words.append(f"Mounts:State={settings.state_mount}")
    return shlex.join(words)


def run_template(installation: Installation) -> str:
    """Return the closing words of a download or an installation."""
    commands = "\n".join(f"  {command}" for command in run_commands(installation))
    return f"\nFrom now on no network is needed. Run:\n\n{commands}"
