"""Counts and spreads: by label, from any thread, and as a scrape writes them."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from appliance.observability.counting import Counter, Histogram


def test_a_count_begins_with_the_first_use_of_its_labels() -> None:
    replies = Counter("replies", "Replies", ["endpoint", "status"])
    assert list(replies.parts()) == []
    replies.labels("analyze", "200").inc()
    replies.labels("analyze", "200").inc(3)
    replies.labels("analyze", "429").inc()
    assert [(labels, count.value) for labels, count in replies.parts()] == [
        ({"endpoint": "analyze", "status": "200"}, 4),
        ({"endpoint": "analyze", "status": "429"}, 1),
    ]
    with pytest.raises(ValueError, match="endpoint, status"):
        replies.labels("analyze")


def test_one_without_labels_is_there_from_the_beginning() -> None:
    refused = Counter("refused", "Refused")
    assert [(labels, count.value) for labels, count in refused.parts()] == [({}, 0)]


def test_an_amount_on_a_bound_is_below_it_and_every_bucket_holds_those_before() -> None:
    seconds = Histogram("seconds", "Seconds", buckets=(0.1, 1))
    for amount in (0.05, 0.1, 0.5, 1.0, 7.0):
        seconds.observe(amount)
    assert seconds.labels().buckets() == [(0.1, 2), (1, 4), (float("inf"), 5)]
    assert seconds.labels().total == pytest.approx(8.65)


def test_nothing_is_lost_between_threads() -> None:
    counter = Counter("c", "C", ["of"])
    histogram = Histogram("h", "H", buckets=(1,))

    def fill(_: int) -> None:
        for _ in range(2_000):
            counter.labels("one").inc()
            histogram.observe(0.5)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(fill, range(4)))
    assert counter.labels("one").value == 8_000
    assert histogram.labels().buckets()[-1][1] == 8_000
