"""One appliance to which anything may happen in any order, and what must then be true of its count.

The rules act on a real process through its sockets, files and signals, and keep a model: what callers have,
what was cut short, what was put back. `check` compares it with the bytes of the ledger, `carry` with the
vendor's receipt.
"""

import contextlib
import os
import shutil
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from license.authority.authority import Authority
from license.authority.issuing.issue import Terms
from license.errors import AuthorityError
from license.evidence.log.checkpoint import read_checkpoint
from license.evidence.log.entry import UsedFields
from license.evidence.verify.result import Severity
from tests.support import disks
from tests.support.recorded import carry_out, counted_by_vendor, uses
from tests.support.site import Service, Site

DAY = 86_400
PATIENCE_SECONDS = 60.0
SHIM = """\
import os, time
_time = time.time
def _moved():
    with open(os.environ["TEST_WALL_FILE"]) as file:
        return _time() + int(file.read())
time.time = _moved
"""
"""Reads the wall clock's offset each time, so that it moves under a process that runs."""


@dataclass
class Model:
    """What callers know.

    Attributes:
        answered: Units by receipt, of what was fully received.
        cut: How many requests of so many units got no answer and may have been recorded all the same.
    """

    answered: dict[str, int] = field(default_factory=dict)
    cut: Counter[int] = field(default_factory=Counter)


class AnyOrder(RuleBasedStateMachine):
    """What happens to every appliance; a product adds what callers do."""

    product: ClassVar[str]
    meter: ClassVar[str]
    plan: ClassVar[int]

    def __init__(self) -> None:
        super().__init__()
        self.words: tuple[str, ...] = ()
        self.home = Path(tempfile.mkdtemp(prefix="any-order-"))
        self.exits = contextlib.ExitStack()
        self.exits.callback(shutil.rmtree, self.home, ignore_errors=True)
        self.passed = 0  # seconds that the vendor's clock and the machine's went on
        self.strayed = 0  # seconds that the machine's clock was moved besides
        (self.home / "shim").mkdir()
        (self.home / "shim" / "sitecustomize.py").write_text(SHIM)
        self.set_clock()
        self.vendor = self.exits.enter_context(
            Authority.create(self.home / "vendor", clock=lambda: int(time.time()) + self.passed)
        )
        self.site = Site(self.home / "site", self.vendor)
        self.exits.callback(self.site.close)
        self.own_disk()
        self.resource = self.site.buy(product=self.product, meters={self.meter: self.plan}, overage="block")
        self.service: Service | None = None
        self.model = Model()
        self.copies: list[Path] = []  # of the directories of the machine when it was down
        self.accepted: dict[str, str] = {}  # by receipt: the request of each use that the vendor has seen
        self.put_back = self.key_put_back = False
        self.must_find = False
        self.full = False
        self.renew()

    # The machine

    def own_disk(self) -> None:
        """Give the ledger a small disk of its own, where this machine allows it."""
        self.disk = False
        if os.geteuid() == 0:
            with contextlib.suppress(pytest.skip.Exception):
                self.exits.enter_context(disks.tmpfs(self.site.output, megabytes=24))
                self.disk = True

    def set_clock(self) -> None:
        new = self.home / "offset.new"
        new.write_text(str(self.passed + self.strayed))
        new.rename(self.home / "offset")

    @property
    def prefix(self) -> tuple[str, ...]:
        """What stands before each command of this machine."""
        return ("env", f"PYTHONPATH={self.home / 'shim'}", f"TEST_WALL_FILE={self.home / 'offset'}")

    def up(self) -> Service:
        """The service, running; it is started if it does not run, and may refuse only for its licence."""
        if self.service is None:
            service = self.site.start(*self.words, prefix=self.prefix, wait=False)
            try:
                self.service = service.wait_ready()
            except AssertionError:
                if service.process.poll() != 78:
                    raise
                self.note("licence refused")
                self.free_disk()
                self.renew()
                self.service = self.site.start(*self.words, prefix=self.prefix)
        return self.service

    def down(self) -> None:
        """Stop the service in good order."""
        if self.service is not None:
            service, self.service = self.service, None
            assert service.stop() == 0, service.text()[-3000:]
            self.check_log(service)

    def check_log(self, service: Service) -> None:
        assert "Traceback" not in service.text(), service.text()[-3000:]

    def note(self, what: str) -> None:
        """Count what happened, for the figures of a long run."""
        SEEN[what] += 1
        self.news = True

    # What happens to it

    @rule()
    def kill(self) -> None:
        if self.service is not None:
            self.note("kill")
            service, self.service = self.service, None
            service.kill()
            self.check_log(service)

    @rule()
    def restart(self) -> None:
        self.note("restart")
        self.down()
        self.up()

    @rule(seconds=st.sampled_from((3_600, DAY, 3 * DAY, 20 * DAY)))
    def let_time_pass(self, seconds: int) -> None:
        if self.passed < 200 * DAY:
            self.note("time passes")
            self.passed += seconds
            self.set_clock()

    @rule(seconds=st.sampled_from((-2 * DAY, -3_600, 0, 3_600, 2 * DAY, 60 * DAY)))
    def move_clock(self, seconds: int) -> None:
        self.note("clock moved")
        self.strayed = seconds
        self.set_clock()

    @precondition(lambda self: self.disk and not self.full)
    @rule()
    def fill_disk(self) -> None:
        self.up()
        self.note("disk full")
        self.full = True
        disks.fill(self.site.output / "filler")

    @precondition(lambda self: self.full)
    @rule()
    def free_disk(self) -> None:
        if self.full:
            (self.site.output / "filler").unlink()
            self.full = False

    @rule(kind=st.sampled_from(("renewed", "short", "ends")))
    def renew(self, kind: str = "renewed") -> None:
        """Have the licence replaced: by one with more units, by a shorter one, by one that ends now."""
        self.note(f"licence {kind}")
        self.resource = self.vendor.add_units(self.resource.name, self.meter, self.plan)
        now = self.vendor.clock()
        ends = {"expires": now + 1, "terminates": now + 2, "report_by": now + 1} if kind == "ends" else None
        terms = Terms(days=5, grace_days=3, report_days=5) if kind == "short" else Terms(max_logs=1000)
        self.site.issue(product=self.product, bought=self.resource, terms=terms, changes=ends)
        if self.service is not None:
            self.service.reload()

    @rule()
    def reload(self) -> None:
        if self.service is not None:
            self.note("reload")
            self.service.reload()

    @precondition(lambda self: not self.full)
    @rule()
    def take_copy(self) -> None:
        self.note("copy")
        self.down()
        self.copy()

    def copy(self) -> None:
        place = self.home / f"copy-{len(self.copies)}"
        for name in ("license", "output", "state"):
            shutil.copytree(self.site.home / name, place / name)
        self.copies.append(place)

    @precondition(lambda self: self.copies and not self.full)
    @rule(
        which=st.integers(0, 9),
        names=st.sampled_from((("state",), ("license",), ("output",), ("output", "state"))),
        killed=st.booleans(),
    )
    def restore(self, which: int, names: tuple[str, ...], killed: bool) -> None:
        """Put directories back as they were."""
        self.note("put back: " + " and ".join(names))
        if killed:
            self.kill()
        self.down()
        copy = self.copies[which % len(self.copies)]
        before = uses(self.site)
        for name in names:
            for old in (self.site.home / name).iterdir():
                shutil.rmtree(old) if old.is_dir() else old.unlink()
            shutil.copytree(copy / name, self.site.home / name, dirs_exist_ok=True)
        self.key_put_back |= "state" in names
        if "output" in names:
            self.put_back = True
            left = uses(self.site)
            # Who has a receipt of what is gone could show it; this model goes on with the others.
            cut = self.model.cut + Counter(self.model.answered.values())
            self.model = Model({key: n for key, n in self.model.answered.items() if key in left}, cut)
            self.must_find = any(self.is_signed_outside(receipt) for receipt in before.keys() - left.keys())

    def is_signed_outside(self, receipt: str) -> bool:
        """Whether a head that covers an entry lies in the state directory."""
        origin, _, number = receipt.rpartition("/")
        with contextlib.suppress(FileNotFoundError):
            head = read_checkpoint((self.site.state / "head").read_bytes())
            return head.origin == origin and head.size > int(number)
        return False

    # What must be true

    @precondition(lambda self: self.news)
    @rule()
    def carry(self) -> None:
        """Stop, carry the usage to the vendor, and compare all three: callers, ledger, vendor."""
        self.note("carried")
        self.free_disk()
        self.up()
        self.settle()
        self.down()
        there = uses(self.site)
        self.check(there)
        self.take_in(there)
        self.copy()
        self.news = False

    def take_in(self, there: dict[str, UsedFields]) -> None:
        """Have the vendor take in an export of what is there: it counts the same, or finds what is gone."""
        known = {key: use.request_id for key, use in there.items()}
        gone = any(known.get(key) != request for key, request in self.accepted.items())
        try:
            taken = carry_out(self.site, prefix=self.prefix)
        except AuthorityError as error:
            self.note(f"vendor refused: {error.code}")
            assert error.code == "OldExport", error
            assert self.put_back  # of use entries, or only of the others
            return
        codes = {finding.code for finding in taken.report.findings if finding.severity}
        broken = {finding.code for finding in taken.report.findings if finding.severity is Severity.BROKEN}
        for code in codes:
            self.note(f"found: {code}")
        if gone or self.must_find:
            assert codes & {"rollback", "recovered", "fork", "missing-log", "tree"}, codes
        if not self.put_back:
            assert not broken, taken.report.findings
        if not broken:
            heads = {head.origin: head.size for head in taken.accepted}
            signed = {key: use for key, use in there.items() if use.n < heads.get(key.rpartition("/")[0], 0)}
            assert sum(counted_by_vendor(self.site, taken).values()) == sum(u.billed for u in signed.values())
            if signed != there:  # the last minute before a kill, whose key went with the state directory
                assert self.key_put_back
                assert "recovered" in codes
            self.accepted |= {key: known[key] for key in signed}
            self.note("vendor's count is the ledger's")

    def check(self, there: dict[str, UsedFields]) -> None:
        """Compare what callers have with what the ledger holds."""
        if not self.put_back:
            assert sum(use.billed for use in there.values()) <= (self.resource.plan.units(self.meter) or 0)
        self.compare(dict(there))

    def compare(self, there: dict[str, UsedFields]) -> None:
        raise NotImplementedError

    def settle(self) -> None:
        """Wait until nothing is under way."""

    def serves(self) -> bool:
        """Ask for something, and keep what comes of it."""
        raise NotImplementedError

    def teardown(self) -> None:
        """In the end all is well: with room on the disk and a licence, it answers, and the count is right."""
        try:
            self.free_disk()
            self.strayed = 0
            self.set_clock()
            self.renew()
            self.up()
            end = time.monotonic() + PATIENCE_SECONDS
            while not self.serves():
                assert time.monotonic() < end, "it does not answer again"
                time.sleep(0.1)
            self.carry()
        finally:
            self.exits.close()


SEEN: Counter[str] = Counter()
"""What happened in all runs of this process."""
