"""The tree over a log while it is read, and every head that was signed over it or kept by somebody.

The codes of findings are those of `docs/formats.md`, part Evidence.
"""

from collections.abc import Sequence

from license.crypto.ed25519 import VerifyingKey
from license.encoding.strict import format_date, format_time
from license.errors import LicenseError
from license.evidence.log.merkle import Frontier
from license.evidence.log.source import Gap, LogSource
from license.evidence.verify.findings import Findings
from license.evidence.verify.heads import Head, Heads
from license.evidence.verify.result import Severity
from license.evidence.verify.witness import Witnessed, witnessed_heads
from license.trust.roots import TrustRoots

OPEN_MINUTE_SECONDS = 120


class SignedTree:
    """The tree of one log, and what its heads say of it.

    Args:
        source: The log.
        roots: Keys that may vouch for cosigned heads.
        findings: Receives what is wrong.
        named: Heads that the logs after it name.

    Attributes:
        keys: The day keys so far, the one in force last.
        signed: Number of entries under the last head that holds.
        good_heads: Number of heads that hold.
        agreed: Number of heads kept by others that agree.
    """

    def __init__(
        self, source: LogSource, roots: TrustRoots, findings: Findings, named: Sequence[Witnessed] = ()
    ) -> None:
        self._find = findings.add
        self._heads = Heads.collect(source)
        self._witnessed = [*witnessed_heads(source.notes(), roots, added=source.added_notes()), *named]
        self._compared = frozenset(self.sizes())
        self._frontier = Frontier()
        self._export_end = source.export_end
        self._holds = True
        self._origin = source.name
        self._instance: VerifyingKey | None = None
        self._day = 0
        self._unsigned_since: int | None = None
        self._boot_unsigned: int | None = None
        self.keys: list[VerifyingKey] = []
        self.signed = self.good_heads = self.agreed = 0
        for sentence in self._heads.unreadable:
            self._find(Severity.BROKEN, "checkpoint", sentence)

    def sizes(self) -> list[int]:
        """Sizes at which a head is to be compared."""
        return sorted({*self._heads.sizes(), *(witnessed.head.size for witnessed in self._witnessed)})

    # -- growth ----------------------------------------------------------------------------------------------

    def begin(self, origin: str, *, instance: VerifyingKey, key: VerifyingKey, day: int) -> None:
        """Learn from the first entry whose log it is, and the key of its first day."""
        self._origin, self._instance, self._day = origin, instance, day
        self.keys = [key]
        self._boot_unsigned = 0

    def boot(self, n: int) -> None:
        """Expect the key of the installation on the next head: entry `n` is a start."""
        self._boot_unsigned = n

    def turn(self, key: VerifyingKey, day: int) -> None:
        """Go over to the key of the next day."""
        self.keys.append(key)
        self._day = day

    def grow(self, leaf: bytes) -> None:
        """Add an entry by its leaf hash."""
        self._frontier.append(leaf)

    def grow_hidden(self, gap: Gap, cuts: Sequence[tuple[int, int]]) -> None:
        """Add hidden entries by the hashes over them; without those before them that cannot be done."""
        if self._frontier.size == gap.first:
            for (height, _), root in zip(cuts, gap.hashes, strict=True):
                self._frontier.append_subtree(height, root)

    def lose(self) -> None:
        """Know that the tree cannot be had any more: heads that disagree with it show nothing new."""
        self._holds = False

    def pass_to(self, size: int, at: int, *, hidden: bool = False) -> None:
        """Compare with the heads over the entries read so far, the last of them written at `at`."""
        if self._unsigned_since is None:
            self._unsigned_since = at
        if hidden or size in self._compared:
            self._compare(size)

    # -- judgement -------------------------------------------------------------------------------------------

    def end_day(self, size: int) -> bool:
        """Check the heads over exactly what was read, while the key of the day is still in force.

        Returns:
            Whether that key signed one of them; True where the tree is lost, for then nobody can say.
        """
        return self._check_heads(self._heads.by_size.pop(size, [])) or not self._holds

    def tell_unchecked(self, gap: Gap) -> None:
        """Tell of heads of this log that lie among hidden entries."""
        for size in sorted(size for size in self._compared if gap.first < size < gap.stop):
            if self._is_own(size):
                sentence = f"a head over {size} entries cannot be compared: those around it are not shown"
                self._find(Severity.FINDING, "unchecked", sentence, gap.first)

    def _is_own(self, size: int) -> bool:
        """Whether there is a head of this log over so many entries."""
        heads = [head.claim for head in self._heads.by_size.get(size, [])]
        heads += [head.head for head in self._witnessed if head.head.size == size and head.expected]
        return any(head.origin == self._origin for head in heads)

    def may_be_pruned(self, gap: Gap) -> bool:
        """Whether a receipt of the vendor covers hidden entries."""
        return any(
            witnessed.receipt and witnessed.head.origin == self._origin and witnessed.head.size >= gap.stop
            for witnessed in self._witnessed
        )

    def check_end(self, size: int, last: int) -> None:
        """Judge what lies after the last checkpoint, and heads over entries that are not there.

        Args:
            size: Number of entries that were read.
            last: Time of the last one.
        """
        self._check_beyond(size)
        since = self._unsigned_since
        if not self.signed:
            self._find(Severity.BROKEN, "unsigned", "no checkpoint of the log holds")
        elif since is not None and last - since > OPEN_MINUTE_SECONDS:
            sentence = f"the entries from {self.signed} on are not signed"
            self._find(Severity.FINDING, "unsigned-tail", sentence, self.signed, at=since)

    def _check_beyond(self, size: int) -> None:
        """Judge heads over more entries than there are: an export may be older than they are."""
        instance, end = self._instance, self._export_end
        heads = self._heads.beyond(size, self._origin)
        newer = [head for head in heads if end is not None and head.may_follow(self.keys, instance, end)]
        for head in newer[-1:]:
            self._tell_newer(head.where, head.claim.size, head.at, size)
        for head in [head for head in heads if head not in newer][:1]:
            sentence = f"{head.claim.size} entries were signed, but only {size} are there"
            self._find(Severity.BROKEN, "rollback", sentence, size)
        for witnessed in self._witnessed:
            if witnessed.head.origin != self._origin or witnessed.head.size <= size:
                continue
            if not witnessed.proven:
                self._on_unproven(witnessed, size)
            elif end is not None and witnessed.may_follow(end):
                self._tell_newer(witnessed.where, witnessed.head.size, witnessed.at, size)
            else:
                sentence = (
                    f"{witnessed.where} has a head over {witnessed.head.size} entries; only {size} are there"
                )
                self._find(Severity.BROKEN, "rollback", sentence, size)

    def _tell_newer(self, where: str, head: int, at: int | None, size: int) -> None:
        when = "" if at is None else f" of {format_time(at)}"
        sentence = (
            f"{where} has a head{when} over {head} entries, and this export ends at {size}: it is older, so "
            "compare a later export, or the output directory"
        )
        self._find(Severity.CLEAN, "newer", sentence, size - 1)

    def _compare(self, size: int) -> None:
        """Compare the tree so far with every head of this size."""
        self._check_heads(self._heads.by_size.get(size, []))
        for witnessed in self._witnessed:
            if (witnessed.head.origin, witnessed.head.size) != (self._origin, size):
                continue
            if witnessed.fault:
                sentence = f"the cosignature in {witnessed.where} does not hold: {witnessed.fault}"
                self._find(Severity.BROKEN, "cosignature", sentence, size - 1)
            elif witnessed.head.root == self._frontier.root():
                self.agreed += 1
            elif not witnessed.proven:
                self._on_unproven(witnessed, size - 1)
            else:
                sentence = f"{witnessed.where} has another history of the first {size} entries"
                self._find(Severity.BROKEN, "fork", sentence, size - 1)

    def _on_unproven(self, witnessed: Witnessed, index: int) -> None:
        sentence = (
            f"{witnessed.where} has a head over {witnessed.head.size} entries of another history, but no "
            "witness whom a root entitles is known to have signed it"
        )
        self._find(Severity.FINDING, "unproven", sentence, index)

    def _check_heads(self, heads: list[Head]) -> bool:
        """Check heads over exactly what was read so far; say whether the key of the day signed one."""
        good = False
        for head in heads:
            if head.claim.origin != self._origin:
                if not head.where:
                    self._find(Severity.BROKEN, "checkpoint", f"a checkpoint of {head.claim.origin}")
                continue
            good = self._check_head(head) or good
        return good

    def _check_head(self, head: Head) -> bool:
        size, today = head.claim.size, self.keys[-1]
        instance = [] if self._instance is None else [self._instance]
        try:
            signers = head.open([*self.keys, *instance])
        except LicenseError as error:
            sentence = f"the checkpoint over {size} entries does not hold: {error.message}"
            self._find(Severity.BROKEN, "checkpoint", sentence, size - 1)
            return False
        # The installation's own signature, under a report that others kept, is as good as that day's.
        if today not in signers and not (head.where and self._instance in signers):
            sentence = (
                f"the checkpoint over {size} entries is not signed by the key of {format_date(self._day)}"
            )
            self._find(Severity.BROKEN, "wrong-key", sentence, size - 1)
            return False
        if head.claim.root != self._frontier.root():
            self._on_other_root(head)
            return False
        if self._boot_unsigned is not None and not head.where:
            if self._instance not in signers:
                sentence = "the checkpoint after a start is not signed by the key of the installation"
                self._find(Severity.BROKEN, "boot-unsigned", sentence, self._boot_unsigned)
            self._boot_unsigned = None
        self.signed, self._unsigned_since = size, None
        self.good_heads += 1
        return True

    def _on_other_root(self, head: Head) -> None:
        size = head.claim.size
        if head.where and self._holds:
            sentence = (
                f"{head.where} has a head over {size} entries, signed by the same key, of another history"
            )
            self._find(Severity.BROKEN, "fork", sentence, size - 1)
            return
        if self._holds:
            sentence = f"the entries {self.signed} to {size - 1} are not those that were signed"
            self._find(Severity.BROKEN, "tree", sentence, self.signed)
        self._holds = False
