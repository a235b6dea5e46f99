"""`/docs` at a real service: open to everybody, whole without scripts, and without a valid licence."""

import time

import pytest

from tests.support.operators import CALLER, KEYS, answer
from tests.support.site import Site

pytestmark = pytest.mark.e2e
MOST_BYTES = 150_000


def test_the_documentation_is_read_and_searched_without_a_key(site: Site) -> None:
    site.issue()
    service = site.start(*KEYS)
    with service.client() as client:
        index = client.get("/docs")
        assert index.status_code == 200
        assert "<h1" in index.text
        assert client.get("/docs/").text == index.text
        policy = index.headers["Content-Security-Policy"]
        assert "script-src" not in policy
        assert "default-src 'none'" in policy
        style = sum(
            len(client.get(f"/static/{name}").content) for name in ("style.css", "docs.css", "icon.svg")
        )
        for name in ("operator.md", "formats.md", "speech.md", "deploy/proxy.md", "adr/README.md"):
            page = client.get(f"/docs/{name}")
            assert page.status_code == 200
            assert "<script" not in page.text
            assert len(page.content) + style < MOST_BYTES, name
        found = client.get("/docs/search", params={"q": "OutOfQuota"})
        first = found.text.partition('<ol class="hits">')[2].partition("</li>")[0]
        assert 'href="/docs/errors.md#code-OutOfQuota"' in first
        quoted = client.get("/docs/search", params={"q": '"><script>alert(1)</script>'})
        assert "<script" not in quoted.text
        assert "Nothing has" in quoted.text
        assert client.get("/docs/search").status_code == 200
        picture = client.get("/docs/images/home-desktop-light.png")
        assert picture.headers["Content-Type"] == "image/png"
        assert client.get("/docs/deploy/compose.yaml").headers["Content-Type"].startswith("text/plain")
        for name in ("nowhere.md", "../README.md", "%2e%2e/README.md", "..%2fpyproject.toml", "/etc/passwd"):
            assert client.get(f"{service.url}/docs/{name}").status_code in (401, 404), name
        assert client.get("/models").status_code == 401
        below = client.get("/docs/licence.md", headers={"X-Forwarded-Prefix": "/ai"}).text
        assert 'href="/ai/docs/operator.md"' in below
        assert 'href="/docs' not in below
    assert service.stop() == 0


def test_a_page_that_a_browser_has_is_not_sent_again(site: Site) -> None:
    site.issue()
    service = site.start(*KEYS)
    with service.client() as client:
        for path in ("/", "/admin", "/static/style.css", "/swagger", "/docs", "/docs/operator.md"):
            first = client.get(path)
            assert (first.status_code, first.headers["Cache-Control"]) == (200, "no-cache"), path
            tag = first.headers["ETag"]
            for known in (tag, f'W/{tag}, "other"'):
                again = client.get(path, headers={"If-None-Match": known})
                assert (again.status_code, again.content) == (304, b""), path
                assert again.headers["Content-Security-Policy"] == first.headers["Content-Security-Policy"]
            assert client.get(path, headers={"If-None-Match": '"other"'}).content == first.content
            assert client.head(path).headers["Content-Length"] == str(len(first.content)), path
        part = client.get("/static/example.wav", headers={"Range": "bytes=0-3"})
        assert (part.status_code, part.content) == (206, b"RIFF"), "a player asks for parts"
    assert service.stop() == 0


def test_it_is_read_when_the_licence_has_ended(site: Site) -> None:
    soon = int(time.time()) + 3
    site.issue(changes={"expires": soon, "terminates": soon + 1, "report_by": soon + 1})
    service = site.start(f"ApiKeys:one={CALLER}")
    with service.client() as client:
        while answer(client).status_code != 403:
            assert time.time() < soon + 60
            time.sleep(0.2)
        assert client.get("/docs/licence.md").status_code == 200
        assert "The 40 best passages that have" in client.get("/docs/search?q=the").text
    assert service.stop() == 0
