"""Random sessions of every kind: what is counted is the audio received, rounded up once a connection.

Sessions are random, and several go on at once. Each of their connections is found again in the usage log by
the ids that the service told it, so that none can pay for another.
"""

import logging
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import soundfile

from license.evidence.log.entry import UsedFields
from tests.support.paths import ROOT
from tests.support.recorded import check_vendor_counts, uses
from tests.support.site import Site
from tests.support.speech_sessions import Caller, Counted, Sound

AT_ONCE = 4
RECORDINGS = ROOT / "tests/unit/speech/recordings"

_log = logging.getLogger(__name__)


@pytest.fixture(scope="module")
def sounds() -> list[Sound]:
    """One to three seconds of speech each."""
    read = (soundfile.read(path, dtype="float32") for path in sorted(RECORDINGS.glob("*.opus")))
    return [np.asarray(samples, np.float32) for samples, rate in read if rate == 16_000]


def check(made: list[Counted], entries: dict[str, UsedFields]) -> Counter[str]:
    """Compare what connections must count with the log; how many were known exactly, and how many left."""
    by_request: dict[str, list[str]] = {}
    for name, entry in entries.items():
        by_request.setdefault(entry.request_id, []).append(name)
    left = set(entries)
    facts: Counter[str] = Counter()
    for one in made:
        names = {*one.entries, *(name for request in one.requests for name in by_request.get(request, ()))}
        assert names <= left, "an entry is of one connection alone"
        left -= names
        billed = sum(entries[name].billed for name in names)
        assert billed == sum(entries[name].quantity for name in names)
        fewest = one.fewest if one.named else min(one.fewest, billed)
        assert fewest <= billed <= one.highest, f"{one}: {billed} seconds counted"
        facts["exact" if one.least == one.most else "left early"] += 1
    unseen = [one for one in made if not one.named]
    unknown = Counter(entries[name].request_id for name in left)
    assert len(unknown) <= len(unseen), "what nobody sent is not counted"
    billed = sum(entries[name].billed for name in left)
    assert billed <= sum(one.highest for one in unseen), f"{billed} seconds of {len(unseen)} that left unseen"
    return facts


def run(site: Site, sounds: list[Sound], sessions: int, seed: int) -> None:
    service = site.start("Service=speechtotext", "Models:Speech=commands")

    def one(number: int) -> list[Counted]:
        return Caller(service.url, seed * 1_000_000 + number, sounds).session()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        made = [found for session in pool.map(one, range(sessions)) for found in session]
    assert service.stop() == 0
    entries = uses(site)
    facts = check(made, entries)
    assert facts["exact"] > sessions // 3
    check_vendor_counts(site, entries)
    seconds = sum(entry.billed for entry in entries.values())
    _log.info(
        "%d sessions, %d connections, %d seconds counted: %s", sessions, len(made), seconds, dict(facts)
    )


def test_some_sessions_count_what_was_received(new_site: Callable[..., Site], sounds: list[Sound]) -> None:
    run(new_site(), sounds, 40, seed=1)


@pytest.mark.slow
@pytest.mark.timeout(3_600)
def test_a_thousand_sessions_count_what_was_received(
    new_site: Callable[..., Site], sounds: list[Sound]
) -> None:
    run(new_site(), sounds, 1_000, seed=2)
