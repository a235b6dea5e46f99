"""Pages of Markdown as HTML: anchors as GitHub has them, links below /docs, rows of codes, no raw HTML."""

from appliance.api.docs.rendering import render, slug

KNOWN = ("operator.md", "licence.md", "deploy/README.md", "deploy/proxy.md", "images/home.png")
PAGE = """# Who *may* `call`?

See [the licence](licence.md#states), [deploying](deploy), [below](#a-part), [elsewhere](https://example.com)
and [the source](../appliance/x.py). ![home](images/home.png)

## A part

| Code | What |
|---|---|
| `OutOfQuota` | buy [units](licence.md) |
| `A`, `B` | several |

    code <b>

## A part

<script>alert(1)</script>
"""


def html(name: str = "operator.md", text: str = PAGE) -> str:
    return render(text, name=name, known=KNOWN).html


def test_headings_have_the_anchors_that_links_between_the_pages_name() -> None:
    assert slug("Who may call?") == "who-may-call"
    page = html()
    for anchor in ("who-may-call", "a-part", "a-part-1"):
        assert f'id="{anchor}"' in page
    assert render(PAGE, name="operator.md", known=KNOWN).title == "Who may call?"


def test_links_lead_to_what_is_served_and_others_become_words() -> None:
    page = html()
    assert '<a href="/docs/licence.md#states">the licence</a>' in page
    assert '<a href="/docs/deploy/README.md">deploying</a>' in page
    assert '<a href="#a-part">below</a>' in page
    assert '<a href="https://example.com">elsewhere</a>' in page
    assert "<span>the source</span>" in page
    assert 'src="/docs/images/home.png"' in page
    below = html(
        "deploy/proxy.md", "# P\n\n[up](../operator.md#x) [beside](README.md) ![i](../images/home.png)\n"
    )
    assert '<a href="/docs/operator.md#x">up</a> <a href="/docs/deploy/README.md">beside</a>' in below
    assert 'src="/docs/images/home.png"' in below


def test_a_row_about_one_code_can_be_linked_to_and_found() -> None:
    rendered = render(PAGE, name="errors.md", known=KNOWN)
    assert '<tr id="code-OutOfQuota">' in rendered.html
    (row,) = [passage for passage in rendered.passages if passage.anchor == "code-OutOfQuota"]
    assert (row.title, row.text) == ("OutOfQuota", "OutOfQuota · buy units")


def test_nothing_in_a_page_is_taken_for_html() -> None:
    page = html()
    assert "<script" not in page
    assert "code &lt;b&gt;" in page


def test_passages_are_what_stands_below_each_heading() -> None:
    first, second, *_ = render(PAGE, name="operator.md", known=KNOWN).passages
    assert (first.title, first.anchor) == ("Who may call?", "who-may-call")
    assert first.text.startswith("See the licence, deploying")
    assert (second.title, second.anchor) == ("A part", "a-part")
    assert second.text.endswith("code <b>")
