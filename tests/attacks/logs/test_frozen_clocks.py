"""A preloaded library holds the wall clock and the uptime counter still, so that a licence never ends."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from appliance.host.effective_clock import UptimeCounter
from tests.support.customer import Customer
from tests.support.evidence import codes, run_days
from tests.support.ledger import DAY
from tests.support.site import clean_environ

FREEZE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>
static int (*real)(clockid_t, struct timespec *);
static struct timespec wall, boot;
int clock_gettime(clockid_t which, struct timespec *now) {
    if (!real) {
        real = dlsym(RTLD_NEXT, "clock_gettime");
        real(CLOCK_REALTIME, &wall);
        real(CLOCK_BOOTTIME, &boot);
    }
    if (which == CLOCK_REALTIME) { *now = wall; return 0; }
    if (which == CLOCK_BOOTTIME) { *now = boot; return 0; }
    return real(which, now);
}
"""

# What effective time does in three seconds that pass, as a process under the preload sees it.
WATCH = """
import time
from appliance.host.effective_clock import ClockRules, EffectiveClock
clock = EffectiveClock(rules=ClockRules(tolerance_seconds=1))
begun, wall, boot = clock.now(), time.time(), time.clock_gettime(time.CLOCK_BOOTTIME)
time.sleep(3.2)
assert time.time() == wall and time.clock_gettime(time.CLOCK_BOOTTIME) == boot, "not frozen"
print(clock.now() - begun, *(event.kind for event in clock.events()))
"""


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs a C compiler: apt install gcc")
def test_effective_time_goes_on_and_the_stray_clock_is_recorded(tmp_path: Path) -> None:
    source, library = tmp_path / "freeze.c", tmp_path / "freeze.so"
    source.write_text(FREEZE)
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    done = subprocess.run(
        [sys.executable, "-c", WATCH],
        env=clean_environ() | {"LD_PRELOAD": str(library), "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    passed, *events = done.stdout.split()
    assert int(passed) >= 3
    assert events == ["back"]


def test_uptime_never_passes_slower_than_either_counter() -> None:
    counter = UptimeCounter()
    assert counter.pass_to(1000.0, 1000.0) == 1000.0
    assert counter.pass_to(1000.0, 1060.0) == 1060.0  # held still
    assert counter.pass_to(5060.0, 1060.0) == 5060.0  # suspended for more than an hour
    assert counter.pass_to(5060.0, 1070.0) == 5070.0


def test_a_log_that_ends_long_before_the_export_came_is_found(customer: Customer) -> None:
    """Whatever holds the clocks still, the monotonic one too: the vendor's own goes on."""
    run_days(customer.machine, 1)
    path = customer.export()
    customer.machine.pass_time(7 * DAY + 1)
    assert codes(customer.ingest(path).report) == {"lags"}
