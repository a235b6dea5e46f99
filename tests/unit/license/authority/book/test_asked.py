"""What is asked for stands in the book until the log is accepted so far."""

from pathlib import Path

from license.authority.authority import Authority
from license.authority.book.asked import AskedLog, OpeningRepository
from license.crypto.ed25519 import SigningKey
from license.evidence.bundle.openings import Stretch
from license.evidence.log.checkpoint import Checkpoint, sign_checkpoint
from license.evidence.log.entry import Tally

KEY = SigningKey.generate("offline-appliance/customner/ec63c3690139/1")


def test_openings_are_kept_replaced_and_settled(tmp_path: Path) -> None:
    with Authority.create(tmp_path / "authority") as authority:
        for name in ("acme", "other"):
            authority.create_resource(name, customer="Acme Ltd")
        book = OpeningRepository(authority.store.engine)
        note = sign_checkpoint(Checkpoint(origin=KEY.name, size=900, root=bytes(32)), KEY)
        asked = AskedLog(
            checkpoint=note,
            at=1_790_000_000,
            asked=(Stretch(first=3, stop=300), Stretch(first=700, stop=900)),
            days={("2026-09-21", "Ner.TextRecords"): Tally(1, 2, 3)},
        )
        book.ask("acme", {KEY.name: asked}, met=())
        book.ask("acme", {KEY.name: asked}, met=())
        assert book.logs("acme") == {KEY.name: asked}
        assert (book.logs("acme")[KEY.name].head.size, book.logs("other")) == (900, {})
        book.settle([(KEY.name, 400), ("offline-appliance/customner/000000000000/1", 5)], met=())
        assert book.logs("acme")[KEY.name].asked == asked.asked[1:]
        book.settle([(KEY.name, 900)], met=())
        assert book.logs("acme") == {}


def test_the_head_of_a_summary_stays_until_something_accepted_goes_on_from_it(tmp_path: Path) -> None:
    with Authority.create(tmp_path / "authority") as authority:
        for name in ("acme", "other"):
            authority.create_resource(name, customer="Acme Ltd")
        book = OpeningRepository(authority.store.engine)

        def ask(size: int, root: bytes, *, met: tuple[str, ...]) -> None:
            note = sign_checkpoint(Checkpoint(origin=KEY.name, size=size, root=root * 32), KEY)
            asked = (Stretch(first=0, stop=size),)
            book.ask("acme", {KEY.name: AskedLog(checkpoint=note, at=size, asked=asked, days={})}, met=met)

        def sizes() -> list[int]:
            return [summary.head.size for summary in book.summaries("acme")]

        assert book.owner(KEY.name) is None
        ask(900, b"a", met=())
        ask(800, b"b", met=(KEY.name,))  # another one, that does not reach as far
        assert sizes() == [800, 900]
        ask(850, b"b", met=(KEY.name,))
        assert sizes() == [850, 900]
        ask(950, b"c", met=())  # nobody could compare it
        assert sizes() == [850, 900, 950]
        book.settle([(KEY.name, 850)], met=(KEY.name,))
        assert (sizes(), book.logs("acme")[KEY.name].head.size) == ([900, 950], 950)
        book.settle([(KEY.name, 990)], met=())
        assert (sizes(), book.logs("acme"), book.owner(KEY.name)) == ([900, 950], {}, "acme")
        book.settle([(KEY.name, 990)], met=(KEY.name,))
        assert (sizes(), book.summaries("other"), book.owner(KEY.name)) == ([], [], None)
