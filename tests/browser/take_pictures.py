"""Take the pictures of the pages in `docs/images`, from a real service under a little load.

python -m tests.browser.take_pictures docs/images [--seconds 60] [--only label evaluation]
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

from appliance.config.identity import load_identity
from appliance.config.products import SPEECH_TO_TEXT
from appliance.pipeline.pipeline import TEXT_RECORDS
from license.authority.authority import Authority
from tests.support.browser import Page, driving, look, take
from tests.support.desk import DeskSite, until
from tests.support.label_page import LabelPage, begin, serve_authoring
from tests.support.operators import KEYS, OPERATOR, answer
from tests.support.paths import ROOT
from tests.support.site import Service, Site

TALL, LOW = 1_000, 800
PHONE = 390
LOANS = ROOT / "docs" / "examples" / "loans"
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


async def label_page(page: Page, url: str) -> None:
    label = await begin(page, url, "loans", LOANS / "project.json", *sorted((LOANS / "documents").iterdir()))
    await label.tab("label")
    await label.show("08.txt")
    await page.until("document.querySelectorAll('#text mark').length >= 5")


async def evaluation(page: Page, url: str) -> None:
    """What the training of the project that `label_page` made says."""
    await LabelPage(page, url).train_and_deploy()
    await page.until("document.querySelectorAll('#scores tbody tr').length >= 5")
    await page.run("document.getElementById('evaluation').dataset.pictured = ''")


async def listen_page(page: Page, url: str) -> None:
    await page.open(f"{url}/listen")
    await page.run("document.getElementById('phrases').value = 'Willoughby\\nDashwood'")
    await page.run("document.getElementById('example').click()")
    await page.until("!document.getElementById('result').hidden")
    await page.until("document.querySelectorAll('.word').length >= 8")
    await page.run("document.getElementById('form').dataset.pictured = ''")


async def site_page(page: Page, url: str) -> None:
    await page.open(url)


def serve_desk(home: Path, vendor: Authority) -> tuple[DeskSite, Service]:
    """A site of three replicas: one is there and answers, one left, one was killed and written off."""
    desk = DeskSite(home, vendor)
    desk.buy(4_000)
    desk.set_up(instances=10)
    served = desk.start()
    sites = [desk.replica(name) for name in ("there", "left", "lost")]
    there, left, lost = (one.start("Models:General=en") for one in sites)
    for replica in (there, left):
        with replica.client() as client:
            until(lambda: answer(client).status_code == 200)
            for _ in range(20):
                answer(client)
    left.stop()
    lost.kill()
    instance = load_identity(sites[2].state).instance
    desk.run("write-off", instance, "--home", str(desk.home), "--url", desk.url)
    served.url = f"http://operator:{desk.key}@{desk.url.removeprefix('http://')}/"
    return desk, served


PAGES: dict[str, tuple[Callable[[Page, str], Any], str, int, tuple[str, ...]]] = {
    "operators": (operators_page, "operated", TALL, tuple(LOOKS)),
    "home": (home_page, "plain", LOW, ("desktop-light", "desktop-dark", "phone-light")),
    "documentation": (documentation, "plain", LOW, ("desktop-light", "phone-dark")),
    "label": (label_page, "labelling", LOW, ("desktop-light",)),
    "evaluation": (evaluation, "labelling", LOW, ("phone-dark",)),
    "listen": (listen_page, "heard", LOW, ("desktop-dark", "phone-light")),
    "site": (site_page, "desk", LOW, ("desktop-light",)),
}
"""What shows a page, the service that it is of, the height of the window, and the looks that are taken."""


def main() -> None:
    """Start a service, put load on it, and take each page in each look."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long there is load before")
    parser.add_argument("--only", nargs="+", choices=PAGES, help="these pages alone; all, if not given")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, Authority.create(Path(scratch) / "vendor") as vendor:
        sites = {
            name: Site(Path(scratch) / name, vendor) for name in ("operated", "plain", "labelling", "heard")
        }
        sites["operated"].issue(meters={TEXT_RECORDS: 4_000})
        sites["plain"].issue()
        sites["heard"].issue(product="speech", meters={SPEECH_TO_TEXT.meter: 1_000})
        services = {
            "operated": sites["operated"].start(*KEYS),
            "plain": sites["plain"].start(),
            "labelling": serve_authoring(sites["labelling"]),
            "heard": sites["heard"].start("Service=speechtotext"),
        }
        desk, services["desk"] = serve_desk(Path(scratch) / "desk", vendor)
        done = threading.Event()
        loading = threading.Thread(target=load, args=(services["operated"], done))
        loading.start()
        try:
            time.sleep(options.seconds)
            with driving(Path(scratch) / "profile") as drive:

                async def steps(page: Page) -> None:
                    await page.send("Emulation.setScrollbarsHidden", hidden=True)
                    for name in options.only or PAGES:
                        show, served, height, looks = PAGES[name]
                        await look(page, width=1280, height=height)
                        await show(page, services[served].url)
                        for kind in looks:
                            width, dark = LOOKS[kind]
                            await look(page, width=width, height=height, dark=dark)
                            await page.run("document.querySelector('[data-pictured]')?.scrollIntoView()")
                            await take(page, options.out / f"{name}-{kind}.png", width=width, height=height)

                drive(steps)
        finally:
            done.set()
            loading.join()
            desk.close()
            for site in sites.values():
                site.close()
            services["desk"].stop()


if __name__ == "__main__":
    main()
