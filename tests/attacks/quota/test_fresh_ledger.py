"""The units of a plan are used, and then the usage log is thrown away or put back to an older state."""

import shutil
from collections.abc import Callable

from tests.attacks.quota.conftest import remove, told
from tests.support.site import Site


def test_a_log_that_is_thrown_away_or_put_back_gives_no_unit_anew(limited: Callable[[str], Site]) -> None:
    site = limited("instance")
    running = site.start()
    before = site.home / "before"
    shutil.copytree(site.output, before)
    assert told(running, 4) == {200: 4}
    running.kill()  # so that nothing is signed after the last minute

    shutil.rmtree(site.output)
    site.output.mkdir()
    running = site.start()
    assert told(running, 2) == {200: 1, 403: 1}
    running.kill()

    shutil.rmtree(site.output)
    shutil.copytree(before, site.output)
    running = site.start()
    assert told(running, 1) == {403: 1}
    assert running.stop() == 0

    # By now the log says so itself, signed: the state directory may lose its count.
    remove(site.state, "usage-*", "head")
    running = site.start()
    assert told(running, 1) == {403: 1}
