"""A billing endpoint for containers, and what a customer has bought there."""

import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import uvicorn

from appliance.config.products import CUSTOM_NER, SPEECH_TO_TEXT
from license.authority.authority import Authority
from license.authority.http.app import Limits, make_app
from license.authority.models.describe import describe
from license.models.manifest import Manifest
from tests.support.display import write_punctuator, write_rescorer
from tests.support.tones import write_model


class Shop(NamedTuple):
    """What a customer has of the vendor: an address, keys, and speech models on offer."""

    url: str
    connected: str
    disconnected: str
    models: str
    speech: str
    offers: dict[str, Manifest]


@contextlib.contextmanager
def open_shop(vendor: Authority, place: Path) -> Iterator[Shop]:
    """Sell what the lines of the page need; the address is that of this machine itself."""
    lines = {"model": "tones-c/1", "punct": "punct-c/1", "rescore": "rescore-c/1"}
    for line in lines.values():
        vendor.create_line(line)
    folders = {
        "model": write_model(place / "model", line=lines["model"]),
        "punct": write_punctuator(place / "punct", line=lines["punct"]),
        "rescore": write_rescorer(place / "rescore", line=lines["rescore"]),
    }
    offers = {}
    for name, folder in folders.items():
        about = describe(folder, line=lines[name], release=None, task=None, name=None)
        offers[name] = vendor.pack(
            folder, line=lines[name], release=about.release, name=about.name, task=about.task,
            language=about.language,
        )[0]  # fmt: skip

    def buy(product: str, tier: str, units: int, models: tuple[str, ...] = ()) -> str:
        meter = (SPEECH_TO_TEXT if product == "speech" else CUSTOM_NER).meter
        return vendor.create_resource(
            f"c-{product}-{tier.lower()}", customer="Acme Ltd", product=product, tier=tier,
            meters={meter: units}, models=models, approved=True, overage="block" if tier == "DC0" else None,
        ).key1  # fmt: skip

    speech = tuple(lines.values())
    keys = (
        buy("ner", "S0", 100_000), buy("ner", "DC0", 100_000), buy("speech", "S0", 100_000, speech),
        buy("speech", "DC0", 100_000, speech),
    )  # fmt: skip
    config = uvicorn.Config(
        make_app(vendor, Limits(reports=100_000, reads=100_000)),
        host="0.0.0.0",  # noqa: S104 (containers reach this machine by its address on their bridge)
        port=0, log_config=None, lifespan="off",
    )  # fmt: skip
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield Shop(f"http://127.0.0.1:{port}", *keys, offers)
    finally:
        server.should_exit = True
        thread.join()
