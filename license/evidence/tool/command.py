"""`usage verify` without anything but the standard library: one call, one report, one exit status.

Both doors lead here: `appliance usage verify` on the server, and `usage-verify.pyz`, the auditor's own file.
"""

import argparse
import contextlib
import hashlib
import json
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, NoReturn, TextIO

from license.crypto.ed25519 import VerifyingKey
from license.errors import LicenseError, Malformed, UnreadableArchive, UntrustedRoots
from license.evidence.bundle.kept_heads import read_heads
from license.evidence.log.checkpoint import read_checkpoint
from license.evidence.log.source import KeptHead
from license.evidence.render.html import render_page
from license.evidence.render.text import audit_json, audit_lines
from license.evidence.verify.result import Report
from license.evidence.verify.verify import verify
from license.files import read_limited, write_atomic
from license.trust.roots import TrustRoots, installed_roots, load_roots
from license.trust.signed_note import MAX_NOTE_BYTES

EXIT_BROKEN: Final = 2
EXIT_USAGE: Final = 64  # sysexits(3); 2 is the verdict `broken`
EXIT_UNREADABLE: Final = 65
EXIT_FAULT: Final = 70
_CHUNK: Final = 1 << 20

_EPILOG = """\
exit status:
  0   clean: every check passed
  1   findings that want an explanation by the operator
  2   broken: the evidence contradicts itself, or what it should rest on is missing or unreadable
  64  the command was used wrongly
  65  the file is not an export, or a damaged archive: nothing in it was looked at
  70  a fault of this program: no verdict

example:
  python3 usage-verify.pyz usage-2026-11.zip --roots ./roots --html report.html
"""


class NoHeads(Malformed):
    """A file that was given as one of signed heads holds none: a slip, and no word about the evidence."""

    code = "NoHeads"
    default_hint = "give lines of the journal, a checkpoint, a proof, an export or an output directory"


def status_of(error: LicenseError) -> int:
    """Return the exit status of a refusal to verify."""
    match error:
        case UntrustedRoots() | NoHeads():
            return EXIT_USAGE
        case UnreadableArchive():
            return EXIT_UNREADABLE
        case _:
            return EXIT_BROKEN


def run_verify(
    path: Path,
    roots: TrustRoots,
    *,
    heads: Iterable[Path] = (),
    notes: Path | None = None,
    html: Path | None = None,
    tool: str = "",
) -> Report:
    """Verify, and write the page if one is wanted.

    Args:
        path: An export, a ledger directory or an output mount.
        roots: Keys that may vouch for licences.
        heads: Files and directories of signed heads that others kept.
        notes: Directory of licences that an export had to leave out.
        html: Where the page goes.
        tool: Name and version of the program, for the page.

    Raises:
        LicenseError: The file is not an export, or one of the others cannot be used; `NoHeads`.
        OSError: A file cannot be read or written.
    """
    others = [head for file in heads for head in _heads_in(file)]
    extra = [] if notes is None else [read_limited(file, MAX_NOTE_BYTES) for file in notes.glob("*.note")]
    report = verify(path, roots, heads=others, notes=extra)
    if html is not None:
        page = render_page(
            report,
            subject=path.name,
            sha256=_sha256(path),
            roots=roots,
            checked_at=int(time.time()),
            tool=tool,
        )
        write_atomic(html, page.encode("utf-8"), mode=0o644)
    return report


def roots_of(source: str | None) -> TrustRoots:
    """Return the roots in a directory, or the one given as a key's text; the installed ones without a place.

    Raises:
        UntrustedRoots: There is none, or the text is not a key.
    """
    if source is None:
        return installed_roots()
    if "+" in source and not Path(source).exists():
        try:
            key = VerifyingKey.from_vkey(source)
        except LicenseError as error:
            raise UntrustedRoots(f"--roots is neither a directory nor a key: {error}") from error
        return TrustRoots(keys=(key,), sources=(Path("the command line"),))
    return load_roots(Path(source))


def main(arguments: Sequence[str] | None = None, out: TextIO | None = None, *, tool: str = "") -> int:
    """Run the auditor's command; returns the exit status.

    Args:
        arguments: Words of the command line; those of the process by default.
        out: Where the report goes; standard output by default.
        tool: Name and version of the program, which whoever packed it knows.
    """
    out = out or sys.stdout
    parser = _parser()
    options = parser.parse_args(arguments)
    if not options.path.exists():
        parser.error(f"there is no {options.path}")
    if options.notes is not None and not options.notes.is_dir():
        parser.error(f"{options.notes} is not a directory")
    try:
        report = run_verify(
            options.path,
            roots_of(options.roots),
            heads=options.heads,
            notes=options.notes,
            html=options.html,
            tool=tool,
        )
    except LicenseError as error:
        return _refuse(error.message, error.hint, status_of(error))
    except OSError as error:
        return _refuse(f"{error.filename}: {error.strerror}", "", EXIT_USAGE)
    except Exception as error:
        return _refuse(f"a fault of this program ({type(error).__name__}): {error}", "", EXIT_FAULT)
    lines = [json.dumps(audit_json(report), indent=2)] if options.json else audit_lines(report)
    with contextlib.suppress(BrokenPipeError):
        out.writelines(f"{line}\n" for line in lines)
    return report.exit_code


class _Parser(argparse.ArgumentParser):
    """Wrong usage must not look like the verdict `broken`."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(EXIT_USAGE, f"error: {message}\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="usage-verify",
        description="Check usage records of the offline appliance from their bytes and root keys alone.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("path", type=Path, help="an export (.zip), or an output directory of the service")
    parser.add_argument(
        "--roots", "--root", metavar="DIR|VKEY", required=True, help="root keys: *.vkey files, or one key"
    )
    parser.add_argument(
        "--heads",
        type=Path,
        action="append",
        default=[],
        metavar="PATH",
        help="signed heads kept elsewhere: journal lines, checkpoints, proofs, other exports, an output "
        "directory; repeatable",
    )
    parser.add_argument("--notes", type=Path, metavar="DIR", help="licences that the export had to leave out")
    parser.add_argument("--html", type=Path, metavar="FILE", help="also write a page to print")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def _heads_in(file: Path) -> list[KeptHead]:
    try:
        heads = read_heads(file)
        for kept in heads[:1]:  # a line of a journal may be cut; a file of another kind has no head at all
            read_checkpoint(kept.note)
    except LicenseError as error:
        raise NoHeads(f"{file} holds no signed head: {error}") from error
    return heads


def _refuse(message: str, hint: str, status: int) -> int:
    sys.stderr.write(f"error: {message}\n" + (f"hint: {hint}\n" if hint else ""))
    return status


def _sha256(path: Path) -> str:
    if not path.is_file():
        return ""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
