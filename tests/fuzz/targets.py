"""What is fuzzed: each reader of a stranger's bytes, the refusals it may answer with, words of its format."""

import io
import json
import tempfile
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Final

from appliance.api.errors import Problem
from appliance.api.speech.multipart import Part, read_parts
from appliance.api.speech.protocol import ProtocolError, read_binary, read_text
from appliance.datasets.formats.format import ReadOptions, SourceFile
from appliance.datasets.formats.registry import FORMATS, recognise
from appliance.datasets.formats.settling import settle
from appliance.datasets.label_errors import KINDS, DatasetError, LabellingMistakes
from appliance.datasets.project_file import parse_project
from appliance.errors import ApplianceError
from appliance.speech.audio.matroska import MARK
from appliance.speech.audio.reader import AudioStream, Sound
from appliance.speech.display.rescoring import WordModel
from license.crypto.ed25519 import SigningKey
from license.encoding.strict import clean_text
from license.errors import LicenseError
from license.evidence.bundle.archive import open_bundle
from license.evidence.bundle.lines import parse_gap, parse_head_lines, parse_leaf
from license.evidence.bundle.openings import OPENINGS_KIND, Openings
from license.evidence.log.checkpoint import Checkpoint, read_checkpoint, sign_checkpoint
from license.evidence.log.entry import parse, render
from license.evidence.tool.command import EXIT_FAULT, EXIT_UNREADABLE, main
from license.metering_protocol import REPORT_LINE, open_report
from license.trust.signed_note import read_unverified, sign_note
from license.trust.statement import kind_of, parse_statement
from tests.support.onnx_facts import check_agreement
from tests.support.paths import VECTORS

ROOTS: Final = VECTORS / "roots"
KEY: Final = SigningKey.generate("offline-appliance/instance")
CORPUS: Final = Path(__file__).parent / "corpus"


@dataclass(frozen=True, slots=True)
class Target:
    """A reader, what it may refuse with, and words of its format."""

    read: Callable[[bytes], object]
    refusals: tuple[type[Exception], ...] = field(default=(LicenseError, ApplianceError))
    words: tuple[bytes, ...] = ()

    def run(self, data: bytes) -> None:
        """Read the bytes; anything but a refusal is a fault."""
        try:
            self.read(data)
        except self.refusals:
            return


def _note(data: bytes) -> None:
    text = read_unverified(data)
    kind_of(text)
    read_checkpoint(data)


def _entry(data: bytes) -> None:
    text = clean_text(data)
    entry = parse(text)
    assert render(entry) == text, "what is read is what was written"


def _lines(data: bytes) -> None:
    for note in parse_head_lines(data):
        read_unverified(note)
    for read in (parse_gap, parse_leaf):
        try:
            read(clean_text(data))
        except LicenseError:
            continue


def _bundle(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.zip"
        path.write_bytes(data)
        with open_bundle(path) as bundle:
            bundle.notes()
            for log in bundle.logs():
                log.checkpoints()
                list(log.rows())


def _audit(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.zip"
        path.write_bytes(data)
        status = main([str(path), "--roots", str(ROOTS)], io.StringIO())
        assert status in (0, 1, 2, EXIT_UNREADABLE) and status != EXIT_FAULT


def _report(data: bytes) -> None:
    """A report says what it likes: `$KEY`, `$ID` and `$HEAD` stand for what only its signer can say."""
    origin = f"offline-appliance/customner/{KEY.verifying.fingerprint}/1"
    head = sign_checkpoint(Checkpoint(origin=origin, size=4, root=bytes(32)), KEY).decode()
    text = data.decode("utf-8", "replace").replace("$KEY", KEY.verifying.vkey)
    text = text.replace("$ID", KEY.verifying.fingerprint).replace("$HEAD", json.dumps(head)[1:-1])
    open_report(sign_note(f"{REPORT_LINE}\n{text}\n", KEY))


def _openings(data: bytes) -> None:
    openings = Openings.from_claims(parse_statement(read_unverified(data), OPENINGS_KIND))
    assert Openings.from_claims(openings.to_claims()) == openings, "what is read is what was written"


def _labels(data: bytes) -> None:
    """Told by content, and read by each format as if somebody had named it; its text is the first line."""
    source = SourceFile("x.ann", data, lambda _: data.partition(b"\n")[0])
    told = recognise(source)
    for made in FORMATS:
        try:
            contents = made.read(source, ReadOptions(names=("O", "B-X", "I-X")))
            documents, _, report = settle(contents, "x", made.title, ReadOptions(), drop=KINDS)
        except (DatasetError, LabellingMistakes):
            continue
        assert made is told or documents or not report.read, "labels are in documents"
        for document in documents:
            for one, other in pairwise(document.labels):
                assert 0 <= one.start < one.end <= other.start
            assert all(document.text[one.start : one.end].strip() for one in document.labels)


def _multipart(data: bytes) -> None:
    kind, _, body = data.partition(b"\n")
    one, many = (_parts(kind.decode("latin-1"), body, size) for size in (len(body) or 1, 7))
    assert one == many


def _parts(content_type: str, body: bytes, size: int) -> dict[str, Part] | None:
    """The parts of a body that comes in pieces; None if it is refused."""

    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, len(body), size):
            yield body[at : at + size]

    reading = read_parts(content_type, pieces())
    try:
        reading.send(None)  # nothing is waited for, so one step is all of it
    except StopIteration as ended:
        found: dict[str, Part] = ended.value
        return found
    except Problem:
        return None
    raise AssertionError("it waits for something")


def _framing(data: bytes) -> None:
    (read_binary(data) if data[:1] == b"\0" else read_text(data.decode("utf-8", "replace"))).json()


def _wav(data: bytes) -> None:
    stream = AudioStream(16_000)
    for at in range(0, len(data), 37):
        stream.feed(data[at : at + 37])
    stream.end()


def _sound(data: bytes) -> None:
    for _ in Sound.open(data).blocks(16_000, max_seconds=2):
        continue


def _webm(data: bytes) -> None:
    if data.startswith(MARK):  # all else is the business of `sound`
        _sound(data)


def _arpa(data: bytes) -> None:
    WordModel.read(data.decode("utf-8", "replace"), "x.arpa", weight=1.0, word=0.0).bonus(["a", "b"])


TARGETS: Final = {
    "note": Target(_note, words=(b"\n\n\xe2\x80\x94 ", b"offline-appliance/")),
    "entry": Target(_entry, words=(b'{"k":"use","n":', b'","t":"')),
    "lines": Target(_lines, words=(b'{"gap":', b'{"leaf":', b" |  | ")),
    "bundle": Target(_bundle, words=(b"PK\x01\x02", b"PK\x05\x06", b"bundle.note")),
    "audit": Target(_audit, words=(b"PK\x01\x02", b"PK\x05\x06", b"bundle.note")),
    "report": Target(_report, words=(b'"records":[', b'"log":', b"$ID", b"$KEY", b"$HEAD")),
    "openings": Target(_openings, words=(b'"stretches":[', b'"first":', b'"checkpoint":')),
    "framing": Target(_framing, (ProtocolError,), (b"\r\n\r\n", b"Path: audio", b"X-RequestId: ")),
    "multipart": Target(_multipart, (Problem,), (b"multipart/form-data; boundary=x\n", b"--x\r\n")),
    "wav": Target(_wav, words=(b"RIFF", b"WAVE", b"fmt ", b"data")),
    "sound": Target(_sound, words=(b"RIFF", b"WAVE", b"fmt ", b"data")),
    "webm": Target(_webm, words=(*(b"\x1a\x45\xdf\xa3", b"\x1f\x43\xb6\x75", b"\x75\xa2"), b"OpusHead")),
    "project": Target(
        lambda data: parse_project(data, "x"), (DatasetError, LabellingMistakes), (b'"assets":', b'"labels":')
    ),
    "labels": Target(
        _labels,
        (DatasetError, LabellingMistakes),
        (
            b'{"text":',
            b'"entities":[[0,1,"X"]]',
            b'"ner_tags":[1]',
            b"\tB-X\n",
            b"T1\tX 0 1\t",
            b"1-1\t0-1\t",
            b"#Text=",
        ),
    ),
    "arpa": Target(_arpa, words=(b"\\data\\", b"ngram 1=", b"\\1-grams:", b"\\end\\")),
    "onnx": Target(check_agreement, words=(b"\x6a", b"\x70\x01", b"\x82\x01")),
}
