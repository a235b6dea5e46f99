"""When attempts are due, and until when queries are answered."""

from hypothesis import given
from hypothesis import strategies as st

from appliance.metering.schedule import EndpointState, ReportInterval

RHYTHM = ReportInterval(interval=600, attempts=10, timeout=30)


def checked(now: int = 1_000) -> EndpointState:
    return EndpointState(rhythm=RHYTHM, next_at=now).opened(now, word="Valid", message="")


def miss(contact: EndpointState, *, took: int = 0, retry_after: int | None = None) -> EndpointState:
    begun = contact.next_at
    return contact.missed(begun, begun + took, word="CouldNotConnect", message="", retry_after=retry_after)


def test_before_the_first_word_nothing_is_answered() -> None:
    contact = EndpointState(rhythm=RHYTHM, next_at=1_000)
    assert not contact.answers(1_000)
    assert not miss(contact).answers(1_000)


def test_ten_attempts_may_fail_and_the_last_second_is_known_from_the_first_word_on() -> None:
    contact = checked().succeeded(1_000, 1_001, word="Valid", message="")
    last = 1_000 + 10 * 600 + 30
    for failed in range(1, 11):
        assert contact.until == last
        assert contact.next_at == 1_000 + failed * 600
        contact = miss(contact, took=30)
    assert contact.failed == 10
    assert contact.until == last
    assert contact.answers(last)
    assert not contact.answers(last + 1)


def test_further_failures_change_nothing_and_one_success_resumes() -> None:
    contact = checked()
    for _ in range(25):
        contact = miss(contact)
    assert contact.until == 1_000 + 9 * 600 + 30
    now = contact.next_at
    contact = contact.succeeded(now, now, word="Valid", message="")
    assert contact.answers(now + 1)
    assert contact.failed == 0


def test_retry_after_puts_the_next_attempt_off_and_the_last_second_with_it() -> None:
    contact = miss(checked(), retry_after=5_000)
    assert contact.next_at == 6_000
    assert contact.until == 6_000 + 8 * 600 + 30
    assert miss(checked(), retry_after=5).next_at == 1_600


def test_an_attempt_that_is_made_late_or_early_does_not_crowd_the_next() -> None:
    contact = checked()
    assert contact.missed(9_000, 9_010, word="Unknown", message="").next_at == 9_600
    assert contact.succeeded(400, 401, word="Valid", message="").next_at == 1_000


@given(
    st.lists(
        st.tuples(st.booleans(), st.integers(0, 30), st.one_of(st.none(), st.integers(0, 90_000))),
        max_size=60,
    )
)
def test_the_last_second_that_was_shown_never_moves_nearer(
    attempts: list[tuple[bool, int, int | None]],
) -> None:
    contact, shown, failed = checked(), 0, 0
    for good, took, retry_after in attempts:
        begun = contact.next_at
        if good:
            contact = contact.succeeded(begun, begun + took, word="Valid", message="")
            failed = 0
        else:
            contact = miss(contact, took=took, retry_after=retry_after)
            failed += 1
        assert contact.until is not None
        assert contact.until >= shown
        shown = contact.until
        assert contact.next_at > begun
        # What is answered after the tenth failure ends with the time that attempt may take.
        assert (failed >= 10) == (not contact.answers(contact.next_at + RHYTHM.timeout))
