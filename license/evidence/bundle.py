"""The file that leaves the isolated server: a zip whose members one signed note names and hashes.

    bundle.note                 the statement `bundle`, signed by the installation
    focus.csv                   usage by day and meter (`license.evidence.focus`)
    logs/1/consistency.txt      C2SP tlog-witness: the last head, and that it extends the one cosigned before
    logs/1/heads.txt            every signed head, one a line, ` | ` for each newline
    logs/1/events.jsonl         a summary: every entry but usage, and hashes where usage stands; or, in full,
    logs/1/entries.jsonl.gz     every entry
    notes/<sha256>.note         licences, issuer notes and receipts

Everything in it is a stranger's word until `license.evidence.verify` has followed it to a root. Reading is
bounded: by what the note declares, and by the length of a line. Format: `docs/formats.md`, part Evidence.
"""

import contextlib
import gzip
import hashlib
import io
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final

from license.errors import LicenseError, Malformed
from license.evidence.entry import MAX_ENTRY_BYTES, Sums, Tally
from license.evidence.source import Gap, Row
from license.fields import IDENTIFIER, SHA256, Fields, check_choice, check_range, check_text
from license.keys import VerifyingKey
from license.note import MAX_NOTE_BYTES, open_note, read_unverified
from license.statement import parse_statement
from license.wire import clean_text, decode_base64, encode_base64, format_time, parse_json

KIND: Final = "bundle"
NOTE: Final = "bundle.note"
FOCUS: Final = "focus.csv"
FORMS: Final = ("summary", "full")
MAX_MEMBERS: Final = 400
MAX_MEMBER_BYTES: Final = 1 << 40
_MAX_SMALL_BYTES: Final = 64 * 1024 * 1024
_MEMBER: Final = re.compile(r"[a-z0-9]+(?:/[a-z0-9]+){0,2}\.[a-z.]+")
_CHUNK: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One file of a bundle: its name, length in bytes and SHA-256 in hex."""

    name: str
    size: int
    sha256: str

    def __post_init__(self) -> None:
        check_text("members", self.name, pattern=_MEMBER)
        check_range("members.bytes", self.size, 0, MAX_MEMBER_BYTES)
        check_text("members.sha256", self.sha256, pattern=SHA256)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogClaim:
    """What a bundle says of one log.

    Attributes:
        origin: Its name.
        number: The k of its name; its members lie in `logs/<k>/`.
        size: Number of entries.
        open: Sums of the usage after the last day that ended, which no entry says yet.
    """

    origin: str
    number: int
    size: int
    open: Sums

    @property
    def folder(self) -> str:
        """Where its members lie."""
        return f"logs/{self.number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What `bundle.note` says.

    Attributes:
        instance: Text form of the installation's key, which signs it.
        license: ID of the licence in force; empty if none was.
        serial: Its serial; 0 likewise.
        form: `summary` or `full`.
        through: Effective time of the last entry, in Unix seconds.
        logs: The logs.
        unreadable: Files of logs that cannot be read, and why.
        withheld: SHA-256 of notes that were left out, since they would open models anywhere.
        members: Every other file of the bundle.
    """

    instance: str
    license: str
    serial: int
    form: str
    through: int
    logs: tuple[LogClaim, ...]
    members: tuple[Member, ...]
    unreadable: tuple[tuple[str, str], ...] = ()
    withheld: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        VerifyingKey.from_vkey(self.instance)
        check_choice("form", self.form, FORMS)
        if self.license:
            check_text("license", self.license, pattern=IDENTIFIER)
        for sha256 in self.withheld:
            check_text("withheld", sha256, pattern=SHA256)
        check_range("the number of members", len(self.members), 1, MAX_MEMBERS)
        if len({log.number for log in self.logs}) != len(self.logs):
            raise Malformed("logs names a log twice")

    @classmethod
    def from_claims(cls, claims: Mapping[str, Any]) -> "Manifest":
        """Read the claims of a bundle; raises `Malformed` naming the first field that is wrong."""
        top = Fields(claims)
        members = top.object("members")
        return cls(
            instance=top.text("instance"),
            license=top.line("license"),
            serial=top.number("serial"),
            form=top.text("form"),
            through=top.time("through"),
            logs=tuple(_read_log(item) for item in top.objects("logs")),
            unreadable=tuple((item.text("file"), item.text("reason")) for item in top.objects("unreadable")),
            withheld=top.texts("withheld"),
            members=tuple(
                Member(
                    name=name,
                    size=members.object(name).number("bytes"),
                    sha256=members.object(name).text("sha256"),
                )
                for name in members.claims
            ),
        )

    def to_claims(self) -> dict[str, Any]:
        """Return the claims in the order in which people read them."""
        return {
            "instance": self.instance,
            "license": self.license,
            "serial": self.serial,
            "form": self.form,
            "through": format_time(self.through),
            "logs": [
                {
                    "origin": log.origin,
                    "number": log.number,
                    "size": log.size,
                    "open": {meter: list(tally) for meter, tally in sorted(log.open.items())},
                }
                for log in self.logs
            ],
            "unreadable": [{"file": file, "reason": reason} for file, reason in self.unreadable],
            "withheld": list(self.withheld),
            "members": {
                member.name: {"bytes": member.size, "sha256": member.sha256} for member in self.members
            },
        }


UNDERSTOOD: Final = frozenset(Manifest.__slots__)
"""Names that `crit` may list."""


class Bundle:
    """An export that was opened. Use `open_bundle`.

    Attributes:
        manifest: What its note says, signed by the installation that the note names.
        faults: What is wrong with it as a file, in sentences.
    """

    def __init__(self, archive: zipfile.ZipFile, manifest: Manifest) -> None:
        self._archive = archive
        self._damaged: set[str] = set()
        self.manifest = manifest
        self.faults = tuple(self._faults())

    def open(self, name: str) -> IO[bytes]:
        """Return a member to read from; raises `Malformed` if it is not there."""
        try:
            return self._archive.open(name)
        except (KeyError, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
            raise Malformed(f"the bundle has no readable {name}") from error

    def read(self, name: str) -> bytes:
        """Return a small member; raises `Malformed` if it is not there, damaged, or larger than declared."""
        limit = next((member.size for member in self.manifest.members if member.name == name), 0)
        limit = min(limit, _MAX_SMALL_BYTES)
        try:
            with self.open(name) as file:
                data = file.read(limit + 1)
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise Malformed(f"{name} is damaged: {error}") from error
        if len(data) > limit:
            raise Malformed(f"{name} is larger than the bundle's note says")
        return data

    def notes(self) -> dict[str, bytes]:
        """Return the notes by the SHA-256 that names them."""
        found = {}
        for member in self.manifest.members:
            if member.name.startswith("notes/"):
                with contextlib.suppress(LicenseError):
                    note = self.read(member.name)
                    found[hashlib.sha256(note).hexdigest()] = note
        return found

    def logs(
        self, heads: Sequence[tuple[str, bytes]] = (), extra: Iterable[bytes] = ()
    ) -> list["BundledLog"]:
        """Return its logs, to be verified; with signed heads and notes that others kept."""
        notes = {hashlib.sha256(note).hexdigest(): note for note in extra} | self.notes()
        return [
            BundledLog(bundle=self, claim=claim, kept=notes, others=tuple(heads))
            for claim in self.manifest.logs
        ]

    def holds(self, name: str) -> bool:
        """Whether a member is the file that the note names."""
        return any(member.name == name for member in self.manifest.members) and name not in self._damaged

    def _faults(self) -> Iterator[str]:
        declared = {member.name: member for member in self.manifest.members}
        names = self._archive.namelist()
        for name in sorted(set(names) - {NOTE} - set(declared)):
            yield f"the bundle holds {name[:100]!r}, which its note does not name"
        if len(set(names)) != len(names):
            yield "the bundle holds a file twice"
        for member in declared.values():
            if member.name not in names:
                yield f"{member.name} is missing from the bundle"
            elif not self._holds(member):
                self._damaged.add(member.name)
                yield f"{member.name} is not the file that the bundle's note names"

    def _holds(self, member: Member) -> bool:
        digest, rest = hashlib.sha256(), member.size + 1
        try:
            with self.open(member.name) as file:
                while rest > 0 and (chunk := file.read(min(_CHUNK, rest))):
                    digest.update(chunk)
                    rest -= len(chunk)
        except (LicenseError, zipfile.BadZipFile, zlib.error, EOFError, OSError):
            return False
        return rest == 1 and digest.hexdigest() == member.sha256


@contextlib.contextmanager
def open_bundle(path: Path) -> Iterator[Bundle]:
    """Open an export whose note is signed by the installation it names.

    Raises:
        Malformed: Not a bundle.
        Forged: Its note was changed.
        OSError: It cannot be read.
    """
    try:
        archive = zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        raise Malformed(f"{path.name} is not a usage export: {error}") from error
    with archive:
        try:
            with archive.open(NOTE) as file:
                note = file.read(MAX_NOTE_BYTES + 1)
        except (
            KeyError,
            zipfile.BadZipFile,
            zlib.error,
            EOFError,
            NotImplementedError,
            RuntimeError,
        ) as error:
            raise Malformed(f"{path.name} is not a usage export: it has no readable {NOTE}") from error
        yield Bundle(archive, open_manifest(note))


def open_manifest(note: bytes) -> Manifest:
    """Return what a bundle's note says, once it is signed by the installation that it names.

    Raises:
        LicenseError: Of the class that names what is wrong.
    """
    # The key stands in the text itself, as in a request: whose it is, the log and the licence say.
    claimed = Manifest.from_claims(parse_statement(read_unverified(note), KIND, understood=UNDERSTOOD))
    opened = open_note(note, [VerifyingKey.from_vkey(claimed.instance)])
    return Manifest.from_claims(parse_statement(opened.text, KIND, understood=UNDERSTOOD))


@dataclass(frozen=True, slots=True, kw_only=True)
class BundledLog:
    """A log in a bundle; see `license.evidence.source.LogSource`."""

    bundle: Bundle
    claim: LogClaim
    kept: Mapping[str, bytes]
    others: tuple[tuple[str, bytes], ...]
    _gaps: dict[int, Gap] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name it claims."""
        return self.claim.origin

    @property
    def summary(self) -> bool:
        """Whether usage was left out."""
        return self.bundle.manifest.form == "summary"

    @property
    def size(self) -> int:
        """Number of entries it claims."""
        return self.claim.size

    def rows(self) -> Iterator[Row]:
        """The entries that are shown, in order; gaps are remembered as they pass."""
        name = f"{self.claim.folder}/{'events.jsonl' if self.summary else 'entries.jsonl.gz'}"
        if not self.bundle.holds(name):  # nothing that nobody signed is worth the time it may take to read
            raise Malformed(f"{name} is not the file that the bundle's note names")
        try:
            with self.bundle.open(name) as member:
                stream = member if self.summary else gzip.GzipFile(fileobj=member)
                yield from self._read(io.BufferedReader(_Raw(stream), _CHUNK))
        except (zipfile.BadZipFile, zlib.error, EOFError, gzip.BadGzipFile) as error:
            raise Malformed(f"{name} is damaged: {error}") from error

    def _read(self, lines: IO[bytes]) -> Iterator[Row]:
        n, leaf = 0, b""
        while line := lines.readline(MAX_ENTRY_BYTES + 1):
            if len(line) > MAX_ENTRY_BYTES:
                raise Malformed("a line of the log is too long")
            text = line.decode("utf-8", "surrogateescape").removesuffix("\n")
            if text.startswith('{"k":'):
                at = _index(text, n)
                yield at, text, leaf
                n, leaf = at + 1, b""
            elif text.startswith('{"gap":'):
                gap = parse_gap(text)
                self._gaps[gap.first] = gap
                n = gap.stop
            elif text.startswith('{"leaf":'):
                leaf = parse_leaf(text)
            else:
                raise Malformed("a line of the log is neither an entry nor a gap")

    def gaps(self, first: int, stop: int, sizes: Iterable[int]) -> list[Gap]:  # noqa: ARG002
        """The gaps that were passed on the way; the exporter has cut them already."""
        found = []
        while first < stop and (gap := self._gaps.get(first)) is not None and gap.stop <= stop:
            found.append(gap)
            first = gap.stop
        return found

    def checkpoints(self) -> list[bytes]:
        """The signed heads, oldest first."""
        return parse_head_lines(self.bundle.read(f"{self.claim.folder}/heads.txt"))

    def published(self) -> tuple[tuple[str, bytes], ...]:
        """Signed heads that others kept."""
        return self.others

    def note(self, sha256: str) -> bytes | None:
        """A note of the bundle."""
        return self.kept.get(sha256)

    def notes(self) -> list[bytes]:
        """Every note of the bundle."""
        return list(self.kept.values())

    def withheld(self, sha256: str) -> bool:
        """Whether the bundle says that it left this note out."""
        return sha256 in self.bundle.manifest.withheld

    def claimed_tail(self) -> Sums:
        """The sums that the bundle's note claims for the day in progress."""
        return self.claim.open

    def column_totals(self) -> None:
        """There are no columns in a bundle."""
        return


class _Raw(io.RawIOBase):
    """A member of a zip as a raw stream, so that lines can be read from it with a limit."""

    def __init__(self, stream: "IO[bytes] | gzip.GzipFile") -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def render_gap(gap: Gap) -> str:
    """Return the line of a gap."""
    hashes = ",".join(f'"{encode_base64(value)}"' for value in gap.hashes)
    return f'{{"gap":{gap.first},"count":{gap.count},"h":[{hashes}]}}'


def parse_gap(text: str) -> Gap:
    """Read the line of a gap; raises `Malformed` if it is none."""
    top = Fields(parse_json(text))
    hashes = tuple(decode_base64(value) for value in top.texts("h"))
    first, count = top.number("gap"), top.number("count")
    if first < 0 or count < 1 or any(len(value) != 32 for value in hashes):
        raise Malformed("a gap has a first entry, a count and hashes of 32 bytes")
    return Gap(first=first, count=count, hashes=hashes)


def render_leaf(n: int, leaf: bytes) -> str:
    """Return the line that tells the stored hash of the next entry, where it is not that of its text."""
    return f'{{"leaf":{n},"h":"{encode_base64(leaf)}"}}'


def parse_leaf(text: str) -> bytes:
    """Read that line; raises `Malformed` if it is none."""
    leaf = Fields(parse_json(text)).base64("h")
    if len(leaf) != 32:
        raise Malformed("a leaf hash has 32 bytes")
    return leaf


def render_head_lines(notes: Iterable[bytes]) -> bytes:
    """Return signed heads one a line, in the form in which the service writes them to its journal."""
    return b"".join(note.rstrip(b"\n").replace(b"\n", b" | ") + b"\n" for note in notes)


def parse_head_lines(data: bytes) -> list[bytes]:
    """Read such lines; whatever stands before `offline-appliance/` in a line, as in a journal, is dropped."""
    found = []
    for line in clean_text(data, max_bytes=_MAX_SMALL_BYTES).split("\n"):
        start = line.find("offline-appliance/")
        if start >= 0 and " |  | " in line:
            found.append(line[start:].rstrip().replace(" | ", "\n").encode("utf-8") + b"\n")
    return found


def read_heads(path: Path) -> list[tuple[str, bytes]]:
    """Return the signed heads in a file that somebody kept: journal lines, a checkpoint, or a proof.

    Raises:
        Malformed: There is none in it.
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        data = file.read(_MAX_SMALL_BYTES)
    found = parse_head_lines(data)
    if not found:
        text = clean_text(data, max_bytes=_MAX_SMALL_BYTES)
        if text.startswith(("c2sp.org/tlog-proof@v1\n", "old ")):
            text = text.partition("\n\n")[2]
        read_unverified(text.encode("utf-8"))
        found = [text.encode("utf-8")]
    return [(path.name, note) for note in found]


def _index(text: str, expected: int) -> int:
    """The index that an entry's text says, for the place it is taken at; the expected one if it says none."""
    match = re.match(r'\{"k":"[a-z]+","n":(0|[1-9][0-9]{0,17}),', text)
    said = int(match[1]) if match else expected
    return max(said, expected)


def _read_log(item: Fields) -> LogClaim:
    tails = item.object("open")
    sums = {}
    for meter, numbers in tails.claims.items():
        if not isinstance(numbers, list) or len(numbers) != 3 or any(type(n) is not int for n in numbers):
            raise Malformed("logs.open must hold three numbers for each meter")
        sums[meter] = Tally(*numbers)
    number = item.number("number")
    check_range("logs.number", number, 1, 10**9)
    check_range("logs.size", item.number("size"), 1, 10**18)
    return LogClaim(origin=item.text("origin"), number=number, size=item.number("size"), open=sums)
