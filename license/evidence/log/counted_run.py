"""The request ID of a `use` entry in the log of a site's desk: which entries of which log it counts.

<origin>/<first>-<next>@<root>[@late]     root over the first `next` entries, URL-safe base64
lost/<instance>                           units that were written off, and not reported
"""

import base64
import binascii
from typing import Final, NamedTuple

from license.errors import Malformed

LOST: Final = "lost/"
_LATE: Final = "@late"
_ORIGIN_PARTS: Final = 4


class CountedRun(NamedTuple):
    """A run of entries of a replica's log, as a report covered them.

    Attributes:
        log: Origin of the log.
        first: Index of the first entry, and `next` the one after the last.
        next: See `first`.
        root: Root hash over the first `next` entries.
        late: Whether it was used in a term that had ended when it was counted.
    """

    log: str
    first: int
    next: int
    root: bytes
    late: bool

    @property
    def instance(self) -> str:
        """Twelve digits of the replica."""
        return self.log.split("/")[2]

    def to_text(self) -> str:
        """Return the request ID."""
        root = base64.urlsafe_b64encode(self.root).decode("ascii")
        return f"{self.log}/{self.first}-{self.next}@{root}{_LATE if self.late else ''}"


def parse_run(text: str) -> CountedRun:
    """Read a request ID.

    Raises:
        Malformed: It names no run of entries.
    """
    late = text.endswith(_LATE)
    where, _, root = text.removesuffix(_LATE).rpartition("@")
    log, _, run = where.rpartition("/")
    first, _, following = run.partition("-")
    if log.count("/") != _ORIGIN_PARTS - 1 or not (first.isdecimal() and following.isdecimal()):
        raise Malformed(f"the request {text!r} names no entries of a replica's log")
    try:
        hashed = base64.urlsafe_b64decode(root)
    except (binascii.Error, ValueError) as error:
        raise Malformed(f"the request {text!r} has no root hash") from error
    return CountedRun(log=log, first=int(first), next=int(following), root=hashed, late=late)
