"""A usage log as it is on disk: read, and checked against what was signed. Nothing is written here."""

from dataclasses import dataclass, field

from appliance.ledger.log.day_keys import DayKeys
from appliance.ledger.log.rehash import check_summed
from appliance.ledger.log.sqlite_store import Damaged, Store, corruption_is_damage
from appliance.ledger.read.day_sums import DaySums
from appliance.ledger.read.totals import RunningTotals, merge
from license.crypto.ed25519 import SigningKey, VerifyingKey
from license.encoding.strict import DAY, format_date
from license.errors import LicenseError
from license.evidence.log.checkpoint import Checkpoint, open_checkpoint
from license.evidence.log.entry import Entry, Sums
from license.evidence.log.merkle import Frontier, root_at


@dataclass(slots=True, kw_only=True)
class LogState:
    """What the writer of a log has to know of it; changed by `appliance.ledger.log.journal` only.

    Attributes:
        origin: Name of the log.
        frontier: Its tree.
        day: First second of the UTC day in progress.
        day_key: The key of that day.
        day_month: The month of that day, `YYYY-MM`.
        month: The month that is not closed yet, and `month_first` the first entry that belongs to it.
        written_at: Effective time of the last entry.
        signed_size: Number of entries under the last checkpoint, signed at `signed_at`.
        license_id: The licence in force, and `license_sha256` the hash of its note.
        highest_serial: Highest licence serial that was ever in force; `highest_epoch` the same for epochs.
        unsummed: Number of `use` entries of the day after its last `sum` entry.
        effective: Effective time when something was last committed.
        totals: Usage so far.
        metered: How many entries of each log the endpoint of a connected run acknowledged.
        carried: What `carry` entries say: usage by day that counts against the plan and is not in `totals`.
    """

    origin: str
    frontier: Frontier
    day: int
    day_key: SigningKey
    day_month: str
    month: str
    month_first: int = 0
    written_at: int = 0
    signed_size: int = 0
    signed_at: int = 0
    license_id: str = ""
    license_sha256: str = ""
    highest_serial: int = 0
    highest_epoch: int = 0
    unsummed: int = 0
    effective: int = 0
    totals: RunningTotals = field(default_factory=RunningTotals)
    metered: dict[str, int] = field(default_factory=dict)
    carried: dict[int, Sums] = field(default_factory=dict)

    def start_day(self, at: int, key: SigningKey) -> None:
        """Begin the UTC day that the Unix second `at` lies on."""
        self.day, self.day_key = at - at % DAY, key
        self.day_month = format_date(at)[:7]
        self.totals.day = {}
        self.unsummed = 0

    def start_month(self, at: int, first: int) -> None:
        """Begin the month that `at` lies in, with entry `first`."""
        self.month, self.month_first = format_date(at)[:7], first
        self.totals.month = {}


def load_state(store: Store, *, origin: str, identity: VerifyingKey, keys: DayKeys) -> LogState:
    """Load the log on disk and check that it is the one that was written.

    The entries after the last complete tile are hashed again, that tile too, the last checkpoint is compared
    with the tree, and whatever is added up or taken over is hashed up to it. The whole log is hashed by
    `license.evidence.verify.verify.verify`.

    Raises:
        Damaged: It is another log, was changed or put back, or its day key is gone.
    """
    with corruption_is_damage():
        try:
            return _load(store, origin=origin, identity=identity, keys=keys)
        except TypeError as error:  # SQLite keeps whatever somebody puts into a column
            raise Damaged("tree", "a hash or a text is of another type than was written") from error


def _load(store: Store, *, origin: str, identity: VerifyingKey, keys: DayKeys) -> LogState:
    row = store.tree()
    if row is None:
        raise Damaged("empty", "the log has no entries")
    if row.origin != origin:
        raise Damaged("origin", f"it is the log {row.origin}, not {origin}")
    try:
        frontier = _frontier(store, row.size, row.frontier)
        first = store.entry(0)
        days = store.day_sums(first)
        state = _read(store, frontier, first, days, origin=origin, keys=keys)
    except (LicenseError, LookupError, ValueError) as error:
        raise Damaged("entries", f"an entry cannot be read: {error}") from error
    state.effective = max(row.effective, state.written_at)
    _check_last_checkpoint(store, state, identity)
    check_summed(store.connection, row.size, days)
    return state


def check_head(store: Store, state: LogState, head: Checkpoint) -> None:
    """Check that a log extends a head that was signed earlier.

    Raises:
        Damaged: It does not: the file was put back to an older state, or was changed.
    """
    if head.origin != state.origin:
        raise Damaged("rollback", f"a head of {head.origin} was signed, which is not {state.origin}")
    if head.size > state.frontier.size:
        raise Damaged(
            "rollback", f"{head.size} entries were signed, but only {state.frontier.size} are there"
        )
    if root_at(head.size, store.subtree) != head.root:
        raise Damaged("tree", f"the first {head.size} entries are not those that were signed")


def _frontier(store: Store, size: int, stored: bytes) -> Frontier:
    if store.size() != size:
        raise Damaged("tree", f"there are {store.size()} entries, and {size} were hashed")
    store.check_last_tile(size)
    frontier = Frontier.at(size, store.subtree)
    if frontier.to_bytes() != stored:
        raise Damaged("tree", f"the {size} entries are not those that were hashed")
    return frontier


def _read(
    store: Store, frontier: Frontier, first: Entry, days: DaySums, *, origin: str, keys: DayKeys
) -> LogState:
    if first.kind not in ("open", "recover") or first.text("o") != origin:
        raise Damaged("entries", "the log does not begin with its own name")
    closed = store.last_event("close")
    month_first = 0 if closed is None else closed.number("hi") + 1
    state = LogState(
        origin=origin,
        frontier=frontier,
        day=days.day,
        day_key=_day_key(days.begun, keys),
        day_month=days.begun.text("d")[:7],
        month=format_date(store.entry(month_first).at)[:7],
        month_first=month_first,
        written_at=store.entry(frontier.size - 1).at,
        unsummed=days.unsummed,
        metered=store.acknowledged(),
        carried=store.carried(),
    )
    for ended in days.ended:
        state.totals.add_past(ended.day, ended.sums)
    state.totals.add(days.day, days.sums)
    state.totals.month = merge([*(ended.sums for ended in days.ended if ended.n > month_first), days.sums])
    for entry in store.events("lic"):
        state.highest_serial = max(state.highest_serial, entry.number("s"))
        state.highest_epoch = max(state.highest_epoch, entry.number("e"))
        state.license_id, state.license_sha256 = entry.text("l"), entry.text("h")
    return state


def _day_key(begun: Entry, keys: DayKeys) -> SigningKey:
    key = keys.find(VerifyingKey.from_vkey(begun.text("vk")))
    if key is None:
        raise Damaged("daykey", f"the key of {begun.text('d')} is missing or unreadable")
    return key


def _check_last_checkpoint(store: Store, state: LogState, identity: VerifyingKey) -> None:
    row = store.last_checkpoint()
    if row is None:
        raise Damaged("checkpoint", "the log has no checkpoint")
    # The last checkpoint is by the key of today, or by the one that certified it.
    begun = [store.entry(0), *store.events("key")][-2:]
    known = [identity, *(VerifyingKey.from_vkey(entry.text("vk")) for entry in begun)]
    try:
        head = open_checkpoint(row.note, known).checkpoint
    except LicenseError as error:
        raise Damaged("checkpoint", f"the last checkpoint is not signed as it should be: {error}") from error
    check_head(store, state, head)
    state.signed_size, state.signed_at = head.size, row.at
