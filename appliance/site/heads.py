"""What a desk holds against a replica that says less than before. Pure: no clock, no file, no key.

A replica that keeps its keys and loses its usage log, its count, or both would use its slice again. So a
desk keeps the newest word of each: which log it writes, its head, and what it has used. It keeps that in
memory for each word, and in its own log with each grant; how far a log is counted stands in each report.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from appliance.site.book import Book, Key, Position
from appliance.site.events import Seen


def log_number(log: str) -> int:
    """Return the number in a log's name: a later log of the same replica has a higher one."""
    return int(log.rpartition("/")[2])


def newest_word(book: Book, of: str, heard: Seen | None) -> Seen | None:
    """Return the newest word of a replica: the one heard in this run, or else the one in the desk's log."""
    replica = book.replicas.get(of)
    return heard or (None if replica is None else replica.seen)


def shown_head(book: Book, log: str, heard: Iterable[Position]) -> Position:
    """Return the newest head of a log that its replica has shown with a word; its count if none.

    A word must show that the log grew from that head. A report does not take its place: it shows growth from
    the report before it, so it could pass over a head that another history of the log has.

    Args:
        book: The desk's.
        log: Its name.
        heard: Heads of that log that this run has seen.
    """
    replica = book.replicas.get(log.split("/")[2])
    seen = None if replica is None else replica.seen
    heads = [*heard]
    if seen is not None and seen.log == log:
        heads.append(Position(next=seen.size, root=seen.root))
    return max(heads, key=lambda head: head.next, default=book.position(log))


def is_other_history(book: Book, log: str, head: Position) -> bool:
    """Whether a head of a log contradicts how far it is counted."""
    counted = book.position(log)
    return head.next < counted.next or (head.next == counted.next > 0 and head.root != counted.root)


def is_late(word: Seen, newest: Seen | None) -> bool:
    """Whether a word was sent before the newest one: it was held up on its way, or is sent again."""
    if newest is None or word.created > newest.created:
        return False
    return word.created < newest.created or _shows_less(word, newest)


def says_less(book: Book, word: Seen, newest: Seen | None) -> bool:
    """Whether a replica has lost what it had told, or may have used: its count, its log, or part of them.

    Under another log than before it must have used all that it was granted: what it used in a log that it
    does not show any more is not known.
    """
    replica = book.replicas.get(word.of)
    if replica is None:
        return False
    if _is_smaller(word.used, _of_term(replica.counted, word.term)):
        return True
    if newest is None:
        return False
    if log_number(word.log) > log_number(newest.log):
        return _is_smaller(word.used, _of_term(replica.allowed, word.term))
    return _shows_less(word, newest)


def _shows_less(word: Seen, newest: Seen) -> bool:
    """Whether a word shows a shorter log, an earlier one, or a smaller count than another."""
    if word.log == newest.log:
        if word.size < newest.size:
            return True
    elif log_number(word.log) < log_number(newest.log):
        return True
    return word.term == newest.term and _is_smaller(word.used, newest.used)


def _of_term(units: Mapping[Key, int], term: int) -> dict[str, int]:
    """Return units by meter in a term."""
    return {meter: count for (meter, of), count in units.items() if of == term}


def _is_smaller(used: Mapping[str, int], than: Mapping[str, int]) -> bool:
    """Whether a count is smaller than another in any meter."""
    return any(used.get(meter, 0) < units for meter, units in than.items())
