"""What is drawn, with what chance, and that what was asked for stays asked for."""

import pytest

from license.authority.book.asked import AskedLog
from license.authority.book.heads import SeenLog
from license.authority.openings import DEFAULT_STRETCHES, Demand, Hidden, demand
from license.crypto.ed25519 import SigningKey
from license.errors import AuthorityError
from license.evidence.bundle.openings import MAX_STRETCHES, Stretch
from license.evidence.log.checkpoint import Checkpoint, sign_checkpoint
from license.licenses.terms import LogHead

KEY = SigningKey.generate("offline-appliance/customner/ec63c3690139/1")
NOW = 1_790_000_000


def seen(size: int) -> SeenLog:
    head = Checkpoint(origin=KEY.name, size=size, root=bytes(32))
    return SeenLog(
        head=LogHead(origin=KEY.name, size=size, root=bytes(32), cosig="— witness x"),
        resource="acme",
        instance="x",
        note=sign_checkpoint(head, KEY),
        at=NOW,
        last=NOW,
        bundle="ab" * 32,
        days={},
    )


def stretches(*hidden: int, first: int = 0) -> tuple[Stretch, ...]:
    """Stretches one after the other with so many hidden entries, nothing else in them."""
    made = []
    for count in hidden:
        made.append(Stretch(first=first, stop=first + count, hidden=count))
        first += count + 1
    return tuple(made)


def ask(
    fresh: tuple[Stretch, ...],
    *,
    owed: tuple[Stretch, ...] = (),
    rest: tuple[Stretch, ...] = (),
    before: AskedLog | None = None,
    count: int = DEFAULT_STRETCHES,
    size: int = 10_000_000,
) -> Demand | None:
    hidden = Hidden(owed=owed, fresh=fresh, rest=rest, before=before)
    return demand([seen(size)], {KEY.name: hidden}, subscription="sub-1", now=NOW, count=count)


def chosen(made: Demand | None) -> tuple[Stretch, ...]:
    assert made is not None
    return made.openings.logs[0].stretches


def test_few_stretches_are_all_asked_for() -> None:
    made = ask(stretches(5, 7, 9))
    assert [(s.first, s.stop) for s in chosen(made)] == [(0, 5), (6, 13), (14, 23)]
    assert made is not None
    assert (made.entries, made.hidden, made.stretches) == (21, 21, 3)


def test_of_many_stretches_as_many_as_wanted_are_asked_for_once_each() -> None:
    some = chosen(ask(stretches(*[10] * 1000), count=60))
    assert len(set(some)) == len(some) == 60
    assert list(some) == sorted(some)


def test_a_share_of_false_entries_is_found_as_often_as_the_page_says() -> None:
    """5 % of the entries lie in false stretches, however they are cut: 60 draws find one in 95 % of cases."""
    for false in (stretches(*[100] * 50), stretches(5000)):
        true = stretches(*[100] * 950, first=1_000_000)
        found = sum(bool({*chosen(ask(false + true))} & {*false}) for _ in range(300))
        # At least 0.954 of 300 is 286; fewer than 270 happen less than once in ten million runs.
        assert found >= 270


def test_nothing_is_asked_for_where_nothing_is_hidden_or_everything_had_its_draw() -> None:
    assert ask(()) is None
    assert ask((), rest=stretches(100, 100)) is None
    assert demand([], {}, subscription="sub-1", now=NOW) is None


def test_what_is_owed_is_asked_for_beside_what_is_new() -> None:
    owed, fresh = stretches(5, 5), stretches(5, first=100)
    assert {*chosen(ask(fresh, owed=owed, rest=stretches(50, first=200), count=1))} == {*owed, *fresh}


def test_more_is_not_owed_than_a_note_can_say() -> None:
    owed = stretches(*[1] * (MAX_STRETCHES - 1))
    fresh = stretches(1, 1, first=10_000)
    assert len(chosen(ask(fresh, owed=owed, count=1))) == MAX_STRETCHES
    with pytest.raises(AuthorityError) as refused:
        ask(fresh, owed=owed, count=2)
    assert refused.value.code == "OpeningsOwed"


def test_a_shorter_export_forgets_nothing_that_lies_behind_it() -> None:
    behind = Stretch(first=800, stop=990)
    before = AskedLog(checkpoint=seen(1000).note, at=NOW - 5, asked=(behind,), days={})
    made = ask(stretches(5), before=before, size=500)
    assert made is not None
    assert behind in made.logs[KEY.name].asked
    assert behind not in chosen(made)


def test_the_same_summary_keeps_the_time_at_which_it_was_asked_about() -> None:
    owed = stretches(5)
    before = AskedLog(checkpoint=seen(1000).note, at=NOW - 5, asked=owed, days={})
    made = ask((), owed=owed, before=before, size=1000)
    assert made is not None
    assert made.logs[KEY.name] == before
