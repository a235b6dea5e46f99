"""The file that leaves the isolated server: a zip whose members one signed note names and hashes.

    bundle.note                 the statement `bundle`, signed by the installation
    focus.csv                   usage by day and meter (`license.evidence.bundle.archive.focus`)
    logs/1/consistency.txt      C2SP tlog-witness: the last head, and that it extends the one cosigned before
    logs/1/heads.txt            every signed head, one a line, ` | ` for each newline
    logs/1/events.jsonl         a summary: every entry but usage, and hashes where usage stands; or, in full,
    logs/1/entries.jsonl.gz     every entry
    notes/<sha256>.note         licences, issuer notes and receipts

Everything in it is a stranger's word until `license.evidence.verify.verify.verify` has followed it to a
root. Reading is bounded: by what the note declares, and by the length of a line. Format: `docs/formats.md`,
part Evidence.
"""

import contextlib
import gzip
import hashlib
import io
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

from license.encoding.zip_reader import ZipReader, open_zip
from license.errors import LicenseError, Malformed, UnreadableArchive
from license.evidence.bundle.lines import index_of, parse_gap, parse_head_lines, parse_leaf
from license.evidence.bundle.manifest import (
    MAX_MEMBER_BYTES,
    MAX_MEMBERS,
    BundleManifest,
    LogClaim,
    Member,
    open_manifest,
)
from license.evidence.log.entry import MAX_ENTRY_BYTES, Sums
from license.evidence.log.source import Gap, KeptHead, Row
from license.trust.signed_note import MAX_NOTE_BYTES

NOTE: Final = "bundle.note"
FOCUS: Final = "focus.csv"
_MAX_SMALL_BYTES: Final = 64 * 1024 * 1024
_MAX_UNPACKED: Final = 100  # times its packed length; the entries of a log reach 20
_FREE_BYTES: Final = 16 * 2**20
_CHUNK: Final = 1 << 20


class Bundle:
    """An export that was opened. Use `open_bundle`.

    Attributes:
        manifest: What its note says, signed by the installation that the note names.
        faults: What is wrong with it as a file, in sentences.
    """

    def __init__(self, archive: ZipReader, manifest: BundleManifest) -> None:
        self._archive = archive
        self._damaged: set[str] = set()
        self.manifest = manifest
        self.faults = tuple(self._faults())

    def open(self, name: str) -> IO[bytes]:
        """Return a member to read from; raises `Malformed` if it is not there."""
        if self._archive.size(name) is None:
            raise Malformed(f"the bundle has no {name}")
        return self._archive.open(name)

    def read(self, name: str) -> bytes:
        """Return a small member; raises `Malformed` if it is not there, damaged, or larger than declared."""
        limit = next((member.size for member in self.manifest.members if member.name == name), 0)
        limit = min(limit, _limit(name))
        with self.open(name) as file:
            data = file.read(limit + 1)
        if len(data) > limit:
            raise Malformed(f"{name} is larger than the bundle's note says")
        return data

    def notes(self) -> dict[str, bytes]:
        """Return the notes by the SHA-256 that names them."""
        notes = {}
        for member in self.manifest.members:
            if member.name.startswith("notes/"):
                with contextlib.suppress(LicenseError):
                    note = self.read(member.name)
                    notes[hashlib.sha256(note).hexdigest()] = note
        return notes

    def logs(self, heads: Sequence[KeptHead] = (), extra: Iterable[bytes] = ()) -> list["BundledLog"]:
        """Return its logs, to be verified; with signed heads and notes that others kept."""
        own, others = self.notes(), {hashlib.sha256(note).hexdigest(): note for note in extra}
        # What was left out is the export's own all the same.
        added = frozenset(others[sha] for sha in others.keys() - own.keys() - set(self.manifest.withheld))
        return [
            BundledLog(bundle=self, claim=claim, kept=others | own, added=added, others=tuple(heads))
            for claim in self.manifest.logs
        ]

    def holds(self, name: str) -> bool:
        """Whether a member is the file that the note names."""
        return any(member.name == name for member in self.manifest.members) and name not in self._damaged

    def _faults(self) -> Iterator[str]:
        declared = {member.name: member for member in self.manifest.members}
        names = self._archive.names()
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
        if member.size != self._archive.size(member.name) or member.size > _limit(member.name):
            return False
        digest, rest = hashlib.sha256(), member.size + 1
        try:
            with self.open(member.name) as file:
                while rest > 0 and (chunk := file.read(min(_CHUNK, rest))):
                    digest.update(chunk)
                    rest -= len(chunk)
        except LicenseError:
            return False
        return rest == 1 and digest.hexdigest() == member.sha256


@contextlib.contextmanager
def open_bundle(path: Path) -> Iterator[Bundle]:
    """Open an export whose note is signed by the installation it names.

    Raises:
        UnreadableArchive: Not a bundle, or one that would unpack to more than its length allows.
        Malformed: Its note says nothing that can be read.
        Forged: Its note was changed.
        Unreadable: It cannot be opened.
    """
    with open_zip(path, max_files=2 * MAX_MEMBERS) as archive:
        if archive.size(NOTE) is None:
            raise UnreadableArchive(f"{path.name} is not a usage export: it has no {NOTE}")
        with archive.open(NOTE) as file:
            note = file.read(MAX_NOTE_BYTES + 1)
        yield Bundle(archive, open_manifest(note))


def _limit(name: str) -> int:
    """The most bytes that a member of this name may have."""
    if name.startswith("notes/"):
        return MAX_NOTE_BYTES
    return MAX_MEMBER_BYTES if name.endswith((".gz", ".jsonl")) else _MAX_SMALL_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class BundledLog:
    """A log in a bundle; see `license.evidence.log.source.LogSource`."""

    bundle: Bundle
    claim: LogClaim
    kept: Mapping[str, bytes]
    added: frozenset[bytes]
    others: tuple[KeptHead, ...]
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
    def export_end(self) -> int | None:
        """Time of the last entry of the bundle; None for a log that has a successor in it."""
        manifest = self.bundle.manifest
        last = max(claim.number for claim in manifest.logs)
        return manifest.through if self.claim.number == last else None

    @property
    def size(self) -> int:
        """Number of entries it claims."""
        return self.claim.size

    def rows(self) -> Iterator[Row]:
        """The entries that are shown, in order; gaps are remembered as they pass."""
        name = self._rows_name
        if not self.bundle.holds(name):  # nothing that nobody signed is worth the time it may take to read
            raise Malformed(f"{name} is not the file that the bundle's note names")
        try:
            with self.bundle.open(name) as member:
                yield from self._read(
                    member if self.summary else io.BufferedReader(gzip.GzipFile(fileobj=member))
                )
        except (zlib.error, EOFError, gzip.BadGzipFile) as error:
            raise Malformed(f"{name} is damaged: {error}") from error

    def _read(self, lines: IO[bytes]) -> Iterator[Row]:
        n, leaf = 0, b""
        rest = self._most_bytes()
        while line := lines.readline(MAX_ENTRY_BYTES + 1):
            rest -= len(line)
            if len(line) > MAX_ENTRY_BYTES:
                raise Malformed("a line of the log is too long")
            if rest < 0:
                raise Malformed("the log unpacks to more than its length allows")
            text = line.decode("utf-8", "surrogateescape").removesuffix("\n")
            if text.startswith('{"k":'):
                at = index_of(text, n)
                yield at, text, leaf
                n, leaf = at + 1, b""
            elif text.startswith('{"gap":'):
                gap = parse_gap(text)
                if gap.first < n:
                    raise Malformed("a gap begins before the line above it ends")
                self._gaps[gap.first] = gap
                n = gap.stop
            elif text.startswith('{"leaf":'):
                leaf = parse_leaf(text)
            else:
                raise Malformed("a line of the log is neither an entry nor a gap")

    def _most_bytes(self) -> int:
        """How much the lines of the log may unpack to."""
        sizes = {member.name: member.size for member in self.bundle.manifest.members}
        return _FREE_BYTES + _MAX_UNPACKED * sizes[self._rows_name]

    @property
    def _rows_name(self) -> str:
        return f"{self.claim.folder}/{'events.jsonl' if self.summary else 'entries.jsonl.gz'}"

    def gaps(self, first: int, stop: int, sizes: Iterable[int]) -> list[Gap]:  # noqa: ARG002
        """The gaps that were passed on the way; the exporter has cut them already."""
        gaps = []
        while first < stop and (gap := self._gaps.get(first)) is not None and gap.stop <= stop:
            gaps.append(gap)
            first = gap.stop
        return gaps

    def checkpoints(self) -> list[bytes]:
        """The signed heads, oldest first."""
        return parse_head_lines(self.bundle.read(f"{self.claim.folder}/heads.txt"))

    def published(self) -> tuple[KeptHead, ...]:
        """Signed heads that others kept."""
        return self.others

    def note(self, sha256: str) -> bytes | None:
        """A note of the bundle."""
        return self.kept.get(sha256)

    def notes(self) -> list[bytes]:
        """Every note of the bundle."""
        return list(self.kept.values())

    def added_notes(self) -> frozenset[bytes]:
        """Notes that others kept, such as a licence that is newer than the bundle."""
        return self.added

    def withheld(self, sha256: str) -> bool:
        """Whether the bundle says that it left this note out."""
        return sha256 in self.bundle.manifest.withheld

    def claimed_tail(self) -> Sums:
        """The sums that the bundle's note claims for the day in progress."""
        return self.claim.open

    def column_totals(self) -> None:
        """There are no columns in a bundle."""
        return
