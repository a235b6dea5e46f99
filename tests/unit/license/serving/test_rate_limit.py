from license.serving import rate_limit as limits
from license.serving.rate_limit import RateLimit


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_bucket_empties_and_fills_steadily() -> None:
    clock = Clock()
    limit = RateLimit(burst=2, per_minute=6, clock=clock)
    assert [limit.take("a") for _ in range(3)] == [0, 0, 10]
    clock.now += 4
    assert limit.take("a") == 6
    clock.now += 6
    assert [limit.take("a") for _ in range(2)] == [0, 10]
    clock.now += 1_000
    assert [limit.take("a") for _ in range(3)] == [0, 0, 10]


def test_each_name_has_its_own_bucket() -> None:
    limit = RateLimit(burst=1, per_minute=1, clock=Clock())
    assert [limit.take(name) for name in ("a", "b", "a")] == [0, 0, 60]


def test_the_wait_it_names_is_long_enough() -> None:
    clock = Clock()
    limit = RateLimit(burst=1, per_minute=7, clock=clock)
    limit.take("a")
    clock.now += limit.take("a")
    assert limit.take("a") == 0


def test_it_remembers_a_bounded_number_of_names() -> None:
    limit = RateLimit(burst=1, per_minute=1, clock=Clock())
    for number in range(limits.MAX_NAMES + 10):
        limit.take(str(number))
    assert len(limit._buckets) == limits.MAX_NAMES
