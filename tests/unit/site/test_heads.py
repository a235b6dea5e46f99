from appliance.site.book import Book, Position
from appliance.site.events import Counted, Leased, Seen
from appliance.site.heads import is_other_history, shown_head

OF = "0123456789ab"
LOG = f"offline-appliance/customner/{OF}/1"


def root(history: int) -> bytes:
    return bytes([history]) * 32


def head(size: int, history: int = 1) -> Position:
    return Position(next=size, root=root(history))


def book_of(*, counted: Position | None = None, seen: Position | None = None) -> Book:
    book = Book()
    book.take(Leased(of=OF, vkey="key", lease="L", until=1_000, software="test"), 0, 0)
    if seen is not None:
        book.take(Seen(of=OF, log=LOG, size=seen.next, root=seen.root, created=1, term=0, used={}), 1, 0)
    if counted is not None:
        units = counted.next
        event = Counted(
            of=OF,
            log=LOG,
            first=0,
            next=counted.next,
            root=counted.root,
            meter="Records",
            quantity=units,
            billed=units,
            late=False,
        )
        book.take(event, 2, 0)
    return book


def test_a_word_grows_from_the_head_that_was_shown_last_in_this_run_or_in_the_log_of_the_desk() -> None:
    assert shown_head(book_of(seen=head(3)), LOG, []) == head(3)
    assert shown_head(book_of(seen=head(3)), LOG, [head(5)]) == head(5)
    assert shown_head(book_of(seen=head(5)), LOG, [head(3)]) == head(5)
    assert shown_head(Book(), LOG, []) == Position(next=0, root=b"")


def test_a_longer_report_of_another_history_does_not_take_the_place_of_a_head_that_was_shown() -> None:
    assert shown_head(book_of(seen=head(3), counted=head(9, history=2)), LOG, []) == head(3)
    assert shown_head(book_of(counted=head(9)), LOG, []) == head(9)


def test_a_head_that_is_shorter_than_what_is_counted_or_differs_there_is_another_history() -> None:
    book = book_of(counted=head(4))
    assert is_other_history(book, LOG, head(3))
    assert is_other_history(book, LOG, head(4, history=2))
    assert not is_other_history(book, LOG, head(4))
    assert not is_other_history(book, LOG, head(5, history=2)), "a proof of growth has to show that"
    assert not is_other_history(Book(), LOG, head(0))
