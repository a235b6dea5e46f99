"""Model packages from the authority: what there is, and a download that goes on where it stopped.

Nothing is believed: the manifest is verified before the first byte of a package is asked for, and the package
has to have the manifest's sum before it gets its name. Until then it is called `.NAME.<sum>.part`, which a
later call continues, also after the machine was switched off. Standard library only.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from license.client.http import MAX_REPLY_BYTES, Endpoint, Reply, connect, failure, get, parse_address
from license.client.licenses import KEY_HEADER, check_key, refusal
from license.encoding.fields import LINE, RELEASE, SHA256, Fields, check_text, typed
from license.encoding.strict import clean_text, parse_json
from license.errors import (
    BadReply,
    CouldNotConnect,
    Malformed,
    ModelDownloadTimedOut,
    NoModelKey,
    PackageDamaged,
    Unwritable,
)
from license.files import require_room, sync_directory, write_atomic
from license.models.manifest import Manifest, open_manifest, package_id
from license.models.package_files import MANIFEST_SUFFIX, PackageFiles
from license.trust.roots import TrustRoots

LIMIT_S: Final = 3_600
"""How long a package may take altogether, as operators of disconnected containers know it."""
STALL_S: Final = 60
ATTEMPTS: Final = 5
"""Breaks in a row, without a byte between them, after which one gives up."""
_CHUNK_BYTES: Final = 1 << 18


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A package the authority offers; a stranger's word until its manifest is verified.

    Attributes:
        line: Model line.
        release: Release of the line.
        name: Name for people.
        bytes: Length of the package.
        sha256: Hex SHA-256 of the package.
        task: What it does, such as `ner`.
        language: BCP 47 tag of the language it is for, or the empty string.
        issued: Unix second of its manifest's signature.
    """

    line: str
    release: str
    name: str
    bytes: int
    sha256: str
    task: str
    language: str
    issued: int

    @property
    def id(self) -> str:
        """The package's id in the form of a GUID."""
        return package_id(self.sha256)


def list_models(*, billing: str, api_key: str, now: int, timeout_s: float = 30) -> tuple[Offer, ...]:
    """Return the packages of the lines the resource has, oldest first within a line.

    Args:
        billing: Address of the authority.
        api_key: One of the resource's two keys.
        now: Unix second, to understand a `Retry-After` that names a date.
        timeout_s: Seconds the exchange may take.

    Raises:
        DownloadError: not asked, not answered, or refused; its class says which.
    """
    claims = _ask(billing, "/v1/models", api_key, now, timeout_s)
    try:
        offers = []
        for item in Fields(claims).objects("models"):
            offer = Offer(
                line=item.text("line"),
                release=item.text("release"),
                name=item.text("name"),
                bytes=item.number("bytes"),
                sha256=item.text("sha256"),
                task=item.text("task"),
                language=item.text("language") if item.claims.get("language") else "",
                issued=item.time("issued"),
            )
            check_text("sha256", offer.sha256, pattern=SHA256)
            check_text("line", offer.line, pattern=LINE)
            check_text("release", offer.release, pattern=RELEASE)
            offers.append(offer)
    except Malformed as error:
        raise BadReply(f"the answer is not a list of models: {error.message}") from error
    return tuple(offers)


def download_package(  # noqa: PLR0913 (one keyword for each thing a caller decides)
    *,
    billing: str,
    api_key: str,
    line: str,
    release: str | None = None,
    directory: Path,
    roots: TrustRoots,
    now: int,
    progress: Callable[[int, int], None] | None = None,
    limit_s: float = LIMIT_S,
    stall_s: float = STALL_S,
    clock: Callable[[], float] = time.monotonic,
) -> tuple[Manifest, PackageFiles]:
    """Bring a package and its two notes into `directory`, and return its manifest and where they are.

    A package that is there already, whole, is not asked for again.

    Args:
        billing: Address of the authority.
        api_key: One of the resource's two keys.
        line: Model line, such as `ner-en/3`.
        release: Release of the line; the newest without it.
        directory: An existing directory.
        roots: Keys that may delegate.
        now: Unix second, to understand a `Retry-After` that names a date.
        progress: Told the bytes that are here, and of how many.
        limit_s: Seconds all of it may take.
        stall_s: Seconds without a byte after which a connection counts as broken.
        clock: Source of monotonic seconds.

    Raises:
        ModelDownloadTimedOut: `limit_s` is over; what arrived is kept for the next call.
        DownloadError: not asked, not answered, or refused; its class says which.
        NoModelKey: the resource has no package of the line.
        PackageDamaged: what arrived is not what the manifest names; it was removed.
        Unwritable: the directory cannot be written; `NoRoom`: not as much as the package has.
        LicenseError: the manifest does not verify.
    """
    with typed():
        check_text("the model line", line, pattern=LINE)
    if release is None:
        release = _newest(list_models(billing=billing, api_key=api_key, now=now, timeout_s=stall_s), line)
    with typed():
        check_text("the release", release, pattern=RELEASE)
    where = f"/v1/models/{line}/{release}"
    claims = Fields(_ask(billing, where, api_key, now, stall_s))
    try:
        note, issuer_note = claims.line("manifest").encode(), claims.line("issuer").encode()
    except (Malformed, UnicodeEncodeError) as error:
        raise BadReply("the answer holds no manifest and issuer note") from error
    manifest = open_manifest(note, issuer_note, roots)
    if (manifest.line, manifest.release) != (line, release):
        raise BadReply(f"asked for {line} {release}, the authority sent the manifest of another package")
    files = PackageFiles.beside(directory / f"{manifest.stem}{MANIFEST_SUFFIX}")
    part = directory / f".{manifest.stem}.{manifest.sha256[:16]}.part"
    transfer = _Transfer(
        endpoint=parse_address(billing, f"{where}/package"),
        headers={KEY_HEADER: api_key, "If-Range": f'"{manifest.sha256}"', "Accept-Encoding": "identity"},
        manifest=manifest,
        part=part,
        progress=progress or (lambda _here, _all: None),
        deadline=clock() + limit_s,
        stall_s=stall_s,
        clock=clock,
        now=now,
    )
    with _writing(directory):
        if not (files.package.exists() and _sum_of(files.package) == manifest.sha256):
            here = part.stat().st_size if part.exists() else 0
            require_room(directory, manifest.bytes - here, f"the package {files.package.name}")
            transfer.run()
            part.replace(files.package)
            sync_directory(directory)
        write_atomic(files.issuer, issuer_note, mode=0o644)
        write_atomic(files.manifest, note, mode=0o644)
    return manifest, files


@dataclass(frozen=True, slots=True, kw_only=True)
class _Transfer:
    """One package on its way into one partial file."""

    endpoint: Endpoint
    headers: dict[str, str]
    manifest: Manifest
    part: Path
    progress: Callable[[int, int], None]
    deadline: float
    stall_s: float
    clock: Callable[[], float]
    now: int

    def run(self) -> None:
        """Fetch until the file is whole and has the right sum."""
        breaks = 0
        while (here := self._here()) < self.manifest.bytes:
            try:
                self._fetch(here)
            except CouldNotConnect as error:
                if isinstance(error, ModelDownloadTimedOut):
                    raise
                breaks = breaks + 1 if self._here() == here else 1
                if breaks >= ATTEMPTS:
                    raise type(error)(
                        f"{error.message}, {ATTEMPTS} times in a row", hint=ModelDownloadTimedOut.default_hint
                    ) from error
                time.sleep(min(0.2 * 2**breaks, max(0.0, self.deadline - self.clock())))
        if here > self.manifest.bytes or _sum_of(self.part) != self.manifest.sha256:
            self.part.unlink()
            raise PackageDamaged(
                f"what arrived for {self.manifest.line} {self.manifest.release} is not the package its "
                "manifest names",
                hint="it was removed: try again; if it happens again, a proxy changes what passes",
            )

    def _here(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def _fetch(self, here: int) -> None:
        """Ask for the rest, and write what comes until it ends or breaks."""
        self._check_deadline(here)
        headers = self.headers | ({"Range": f"bytes={here}-"} if here else {})
        with connect(self.endpoint, self.stall_s) as connection, self._naming():
            connection.request("GET", self.endpoint.path, headers=headers)
            with connection.getresponse() as response:
                self._take(response, here)

    def _take(self, response: http.client.HTTPResponse, here: int) -> None:
        if response.status not in (200, 206):
            self._refuse(response, here)
            return
        if response.status == 206 and not _continues(response, here, self.manifest.bytes):
            raise BadReply(f"{self.endpoint.shown} sent another part than was asked for")
        with self.part.open("ab" if response.status == 206 else "wb") as file:
            self._copy(response, file.write)
            file.flush()
            os.fsync(file.fileno())

    def _copy(self, response: http.client.HTTPResponse, write: Callable[[bytes], int]) -> None:
        whole = self.manifest.bytes
        here = self._here() if response.status == 206 else 0
        while chunk := response.read1(_CHUNK_BYTES):
            here += write(chunk)
            self.progress(min(here, whole), whole)
            if here > whole:
                return  # more than there is: `run` refuses it
            self._check_deadline(here)
        if here < whole:
            raise CouldNotConnect(f"{self.endpoint.shown} broke off after {here} of {whole} bytes")

    def _check_deadline(self, here: int) -> None:
        if self.clock() >= self.deadline:
            raise ModelDownloadTimedOut(
                f"Failed to download: context deadline exceeded ({self.manifest.line} "
                f"{self.manifest.release}, {here:,} of {self.manifest.bytes:,} bytes are here)"
            )

    def _refuse(self, response: http.client.HTTPResponse, here: int) -> None:
        if response.status == 416 and here:
            self.part.unlink()  # the file there is shorter than what we have: begin again
            return
        body = response.read(MAX_REPLY_BYTES)
        reply = Reply(code=response.status, headers=response.headers, body=body)
        raise refusal(self.endpoint, reply, self.now)

    @contextmanager
    def _naming(self) -> Iterator[None]:
        try:
            yield
        except (http.client.HTTPException, ConnectionError, TimeoutError) as error:
            raise failure(self.endpoint, error, self.stall_s) from error


def _ask(billing: str, path: str, api_key: str, now: int, timeout_s: float) -> dict[str, Any]:
    endpoint = parse_address(billing, path)
    check_key(api_key)
    reply = get(endpoint, {KEY_HEADER: api_key, "Accept": "application/json"}, timeout_s)
    if reply.code != 200:
        raise refusal(endpoint, reply, now)
    try:
        return parse_json(clean_text(reply.body, max_bytes=MAX_REPLY_BYTES), max_bytes=MAX_REPLY_BYTES)
    except Malformed as error:
        raise BadReply(f"the answer is not the authority's: {error.message}") from error


def _newest(offers: tuple[Offer, ...], line: str) -> str:
    releases = [offer.release for offer in offers if offer.line == line]
    if not releases:
        known = ", ".join(sorted({offer.line for offer in offers})) or "none"
        raise NoModelKey(
            f"the authority offers no package of model line {line} to this resource",
            hint=f"lines offered: {known}; the vendor grants others with `license resource grant`",
        )
    return releases[-1]


def _continues(response: http.client.HTTPResponse, here: int, whole: int) -> bool:
    return response.headers.get("Content-Range", "") == f"bytes {here}-{whole - 1}/{whole}"


def _sum_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _writing(directory: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Unwritable(
            f"cannot write the package to {directory}: {error.strerror or error}",
            hint="make room or name another directory, then run the same command again: it goes on",
        ) from error
