"""What is found in the documentation, and in which order."""

from appliance.api.docs.search import MOST_HITS, Passage, find

PASSAGES = [
    ("a.md", Passage(title="Limits", anchor="limits", text="a licence ends and the plan is used up " * 20)),
    ("b.md", Passage(title="The licence", anchor="the-licence", text="dates and plan")),
    ("errors.md", Passage(title="OutOfQuota", anchor="code-OutOfQuota", text="OutOfQuota · 403 · buy units")),
    (
        "c.md",
        Passage(title="Answers", anchor="answers", text="403 with OutOfQuota, OutOfQuota and OutOfQuota"),
    ),
]


def test_every_word_must_occur_in_any_letter_case() -> None:
    assert [hit.page for hit in find("LICENCE plan", PASSAGES)] == ["b.md", "a.md"]
    assert find("licence nowhere", PASSAGES) == []
    assert find("  ", PASSAGES) == []


def test_a_code_comes_before_those_who_only_mention_it() -> None:
    assert [hit.page for hit in find("outofquota", PASSAGES)] == ["errors.md", "c.md"]


def test_an_excerpt_shows_the_word_and_not_half_a_word() -> None:
    text = "x" * 30 + " " + "word " * 100 + "needle " + "word " * 100
    (hit,) = find("needle", [("a.md", Passage(title="A", anchor="a", text=text))])
    assert "needle" in hit.excerpt
    assert hit.excerpt.startswith("… word")
    assert hit.excerpt.endswith(" …")
    assert len(hit.excerpt) < 300


def test_there_are_not_more_than_somebody_reads() -> None:
    many = [(f"{n}.md", Passage(title="T", anchor="t", text="needle")) for n in range(100)]
    assert len(find("needle", many)) == MOST_HITS
