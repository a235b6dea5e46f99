"""Take the pictures of the pages in `docs/images`, from a real service under a little load.

python -m tests.browser.take_pictures docs/images [--seconds 60]
"""

import argparse
import itertools
import random
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from appliance.pipeline.pipeline import TEXT_RECORDS
from license.authority.authority import Authority
from tests.support.browser import Page, driving, look, take
from tests.support.operators import KEYS, OPERATOR, answer
from tests.support.site import Service, Site

TALL, LOW = 1_000, 800
PHONE = 390
LOOKS = {
    "desktop-light": (1280, False),
    "desktop-dark": (1280, True),
    "phone-light": (PHONE, False),
    "phone-dark": (PHONE, True),
}


def load(service: Service, done: threading.Event) -> None:
    """Ask again and again, now more and now less, so that the charts have something to show."""
    chance = random.Random(1)  # noqa: S311 (a picture needs no secret)
    with service.client() as client:
        for n in itertools.count():
            if done.wait(chance.uniform(0.01, 0.05 + 0.2 * (n % 200 > 120))):
                return
            answer(client)


async def operators_page(page: Page, url: str) -> None:
    await page.open(f"{url}/admin")
    await page.run(f"document.getElementById('key').value = '{OPERATOR}'")
    await page.run("document.getElementById('form').requestSubmit()")
    await page.until("document.querySelectorAll('#charts figure').length === 5")
    await page.until("document.querySelectorAll('#models tbody tr').length >= 1")


async def home_page(page: Page, url: str) -> None:
    await page.open(f"{url}/")
    await page.until("document.querySelectorAll('#models li b').length === 1")
    await page.run("document.getElementById('form').requestSubmit()")
    await page.until("document.querySelectorAll('#marked mark').length >= 5")


async def documentation(page: Page, url: str) -> None:
    await page.open(f"{url}/docs/operator.md")


PAGES: dict[str, tuple[Callable[[Page, str], Any], int, tuple[str, ...]]] = {
    "operators": (operators_page, TALL, tuple(LOOKS)),
    "home": (home_page, LOW, ("desktop-light", "desktop-dark", "phone-light")),
    "documentation": (documentation, LOW, ("desktop-light", "phone-dark")),
}


def main() -> None:
    """Start a service, put load on it, and take each page in each look."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long there is load before")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, Authority.create(Path(scratch) / "vendor") as vendor:
        site, plain = (Site(Path(scratch) / name, vendor) for name in ("operated", "plain"))
        site.issue(meters={TEXT_RECORDS: 4_000})
        plain.issue()
        service, open_to_all, done = site.start(*KEYS), plain.start(), threading.Event()
        loading = threading.Thread(target=load, args=(service, done))
        loading.start()
        try:
            time.sleep(options.seconds)
            with driving(Path(scratch) / "profile") as drive:

                async def steps(page: Page) -> None:
                    await page.send("Emulation.setScrollbarsHidden", hidden=True)
                    for name, (show, height, looks) in PAGES.items():
                        await look(page, width=1280, height=height)
                        await show(page, service.url if show is operators_page else open_to_all.url)
                        for kind in looks:
                            width, dark = LOOKS[kind]
                            await look(page, width=width, height=height, dark=dark)
                            await take(page, options.out / f"{name}-{kind}.png", width=width, height=height)

                drive(steps)
        finally:
            done.set()
            loading.join()
            site.close()
            plain.close()


if __name__ == "__main__":
    main()
