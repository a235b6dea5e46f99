"""Model lines: one age identity each, to which every release of the line is encrypted.

Kept in the form of `age-keygen`, so that `age --decrypt --identity FILE` opens a package. Losing the file
means that licences for the line can no longer be issued; making it anew means that packages and licences
from before do not open each other's any more.
"""

from __future__ import annotations

from pathlib import Path

from license.crypto import age
from license.encoding.fields import LINE, check_text, typed
from license.encoding.strict import clean_text
from license.errors import AuthorityError, Malformed, Unwritable
from license.files import read_limited, write_atomic

_MAX_BYTES = 4_096


def line_path(home: Path, line: str) -> Path:
    """Return where the identity of a line lies; raises `Malformed` if `line` cannot be one."""
    with typed():
        check_text("the model line", line, pattern=LINE)
    return home / "keys" / "lines" / f"{line.replace('/', '+')}.key"


def create_line(home: Path, line: str) -> str:
    """Make the identity of a new model line and return its public half, `age1…`.

    Raises:
        AuthorityError: the line exists.
        Malformed: not the name of a line.
        Unwritable: the directory cannot be written.
    """
    path = line_path(home, line)
    if path.exists():
        raise AuthorityError(
            f"the model line {line} exists",
            code="AlreadyExists",
            hint="its identity is never replaced: licences and packages depend on it",
        )
    identity = age.new_identity()
    recipient = age.recipient_of(identity)
    text = f"# model line: {line}\n# public key: {recipient}\n{identity}\n"
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        write_atomic(path, text.encode())
    except OSError as error:
        raise Unwritable(f"cannot write {path}: {error.strerror}") from error
    return recipient


def load_line(home: Path, line: str) -> str:
    """Return the identity of a model line.

    Raises:
        AuthorityError: there is no such line.
        Malformed: its file holds no identity.
    """
    path = line_path(home, line)
    if not path.exists():
        known = ", ".join(lines(home)) or "none yet"
        raise AuthorityError(
            f"there is no model line {line}",
            code="NoSuchLine",
            hint=f"lines: {known}; a line begins with its first `license pack MODEL_DIR --line {line}`",
        )
    rows = clean_text(read_limited(path, _MAX_BYTES)).splitlines()
    identities = [row for row in rows if row and not row.startswith("#")]
    if len(identities) != 1:
        raise Malformed(f"{path} does not hold one age identity", hint="restore it from the backup")
    age.recipient_of(identities[0])
    return identities[0]


def lines(home: Path) -> list[str]:
    """Return the names of all model lines."""
    return sorted(path.stem.replace("+", "/") for path in (home / "keys" / "lines").glob("*.key"))
