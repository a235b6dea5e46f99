"""When attempts are due, and until when queries are answered."""

from hypothesis import given
from hypothesis import strategies as st

from appliance.metering.schedule import EndpointState, ReportInterval

INTERVAL = ReportInterval(seconds=600, attempts=10, timeout=30)


def checked(now: int = 1_000) -> EndpointState:
    return EndpointState(interval=INTERVAL, next_at=now).opened(now, status="Valid", message="")


def miss(endpoint_state: EndpointState, *, took: int = 0, retry_after: int | None = None) -> EndpointState:
    begun = endpoint_state.next_at
    return endpoint_state.missed(
        begun, begun + took, status="CouldNotConnect", message="", retry_after=retry_after
    )


def test_before_the_first_word_nothing_is_answered() -> None:
    endpoint_state = EndpointState(interval=INTERVAL, next_at=1_000)
    assert not endpoint_state.answers(1_000)
    assert not miss(endpoint_state).answers(1_000)


def test_ten_attempts_may_fail_and_the_last_second_is_known_from_the_first_word_on() -> None:
    endpoint_state = checked().succeeded(1_000, 1_001, status="Valid", message="")
    last = 1_000 + 10 * 600 + 30
    for failed in range(1, 11):
        assert endpoint_state.until == last
        assert endpoint_state.next_at == 1_000 + failed * 600
        endpoint_state = miss(endpoint_state, took=30)
    assert endpoint_state.failed == 10
    assert endpoint_state.until == last
    assert endpoint_state.answers(last)
    assert not endpoint_state.answers(last + 1)


def test_further_failures_change_nothing_and_one_success_resumes() -> None:
    endpoint_state = checked()
    for _ in range(25):
        endpoint_state = miss(endpoint_state)
    assert endpoint_state.until == 1_000 + 9 * 600 + 30
    now = endpoint_state.next_at
    endpoint_state = endpoint_state.succeeded(now, now, status="Valid", message="")
    assert endpoint_state.answers(now + 1)
    assert endpoint_state.failed == 0


def test_retry_after_puts_the_next_attempt_off_and_the_last_second_with_it() -> None:
    endpoint_state = miss(checked(), retry_after=5_000)
    assert endpoint_state.next_at == 6_000
    assert endpoint_state.until == 6_000 + 8 * 600 + 30
    assert miss(checked(), retry_after=5).next_at == 1_600


def test_an_attempt_that_is_made_late_or_early_does_not_crowd_the_next() -> None:
    endpoint_state = checked()
    assert endpoint_state.missed(9_000, 9_010, status="Unknown", message="").next_at == 9_600
    assert endpoint_state.succeeded(400, 401, status="Valid", message="").next_at == 1_000


@given(
    st.lists(
        st.tuples(st.booleans(), st.integers(0, 30), st.one_of(st.none(), st.integers(0, 90_000))),
        max_size=60,
    )
)
def test_the_last_second_that_was_shown_never_moves_nearer(
    attempts: list[tuple[bool, int, int | None]],
) -> None:
    endpoint_state, shown, failed = checked(), 0, 0
    for good, took, retry_after in attempts:
        begun = endpoint_state.next_at
        if good:
            endpoint_state = endpoint_state.succeeded(begun, begun + took, status="Valid", message="")
            failed = 0
        else:
            endpoint_state = miss(endpoint_state, took=took, retry_after=retry_after)
            failed += 1
        assert endpoint_state.until is not None
        assert endpoint_state.until >= shown
        shown = endpoint_state.until
        assert endpoint_state.next_at > begun
        # What is answered after the tenth failure ends with the time that attempt may take.
        assert (failed >= 10) == (not endpoint_state.answers(endpoint_state.next_at + INTERVAL.timeout))
