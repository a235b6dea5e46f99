"""What each finding means for whoever reads the page, and whom to ask what."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """What a finding means.

    Attributes:
        means: What may have happened, in a sentence.
        ask: Whom to ask, and for what.
    """

    means: str
    ask: str


_CHANGED: Final = Meaning(
    means="Somebody edited the records after they were made, or the disk damaged them.",
    ask="Ask the operator for the backup of that day and who had access; tell the vendor.",
)
_SIGNED: Final = Meaning(
    means="What is signed is not what is there: records were edited, a disk is damaged, or a copy failed.",
    ask="Ask the operator for a fresh export; if it shows the same, tell the vendor.",
)
_OLDER: Final = Meaning(
    means="The log was put back to an earlier state, or another history was continued.",
    ask="Ask the operator which backup was restored, and when; tell the vendor.",
)
_FILE: Final = Meaning(
    means="The export was changed on its way, or made by another installation than it says.",
    ask="Ask the operator to export again, and compare the SHA-256 on both sides.",
)
_LICENCE: Final = Meaning(
    means="The licence that usage was recorded under cannot be traced to a root that you trust.",
    ask="Compare the root with the vendor's, by another way than this file.",
)
_GONE: Final = Meaning(
    means="A part of the log is named and is not there, or cannot be read.",
    ask="Ask the operator for the missing file, or the whole output directory.",
)
_SUMS: Final = Meaning(
    means="Sums do not agree with the entries that they sum up.",
    ask="Ask the operator for a full export; tell the vendor.",
)
_BEYOND: Final = Meaning(
    means="Units were counted outside of what the licence allows at that time.",
    ask="Ask the operator which licence was in force; the vendor decides how it is settled.",
)
_CLOCK: Final = Meaning(
    means="The machine's clock strayed: a wrong battery, a restored virtual machine, or somebody who set it.",
    ask="Ask the operator what set the clock at that time.",
)
_STOPPED: Final = Meaning(
    means="The service ended without saying so, or said nothing for long: a crash, a power cut, a full disk.",
    ask="Ask the operator what happened at that time; compare with the machine's own journal.",
)
_KEPT: Final = Meaning(
    means="A head that somebody else kept cannot be compared with what is shown here.",
    ask="Ask for a full or a newer export, and compare again.",
)
_VENDOR: Final = Meaning(
    means="The vendor's book and this log do not say the same.",
    ask="Ask the vendor what the book has, and the operator for an export of today.",
)
_SITE_COUNT: Final = Meaning(
    means="The desk of the site granted or counted otherwise than its licence and its own entries allow.",
    ask="Ask the operator of the site for a fresh export of the desk; tell the vendor.",
)
_COPIED: Final = Meaning(
    means="A replica, or the desk itself, was copied or put back to an earlier state.",
    ask="Ask the operator of the site which machine or volume was copied or restored, and when.",
)
_KNOWN: Final = Meaning(
    means="This happens in ordinary use, and is recorded so that it can be told apart from what does not.",
    ask="Nothing needs to be asked if the operator can say why.",
)

_GROUPS: Final = (
    (_CHANGED, ("changed", "missing", "order", "index", "malformed", "columns", "metered")),
    (
        _SIGNED,
        ("checkpoint", "tree", "wrong-key", "unsigned", "unsigned-tail", "boot-unsigned", "cosignature"),
    ),
    (_SIGNED, ("day", "wrong-day", "key-reused", "day-unsigned", "origin", "second-open")),
    (_OLDER, ("rollback", "fork", "consistency", "license-back", "time-back", "clock-lowered")),
    (_FILE, ("member", "signer", "table")),
    (_LICENCE, ("root", "license", "license-withheld")),
    (_GONE, ("unreadable", "missing-log", "no-log")),
    (_SUMS, ("day-sums", "month-sums", "month-open")),
    (_BEYOND, ("license-id", "too-early", "expired", "grace", "plan-exceeded")),
    (_CLOCK, ("clock-back", "clock-forward", "clock-held", "clock-adopted", "lags")),
    (_STOPPED, ("no-boot", "silent", "cut-off", "disk", "recovered")),
    (_KEPT, ("unchecked", "unproven", "newer", "unopened")),
    (_VENDOR, ("metered-differs", "begins-late", "two-resources", "not-reported", "too-many-logs")),
    (_SITE_COUNT, ("not-counted", "slices-exceed", "too-many-replicas")),
    (_COPIED, ("cloned", "desk-restored")),
    (_KNOWN, ("claimed", "carried", "copied", "lost")),
)
MEANINGS: Final = {code: meaning for meaning, codes in _GROUPS for code in codes}
_UNKNOWN: Final = Meaning(means="A rule of the log does not hold.", ask="Ask the vendor, with this page.")


def meaning_of(code: str) -> Meaning:
    """Return what a finding of that code means."""
    return MEANINGS.get(code, _UNKNOWN)
