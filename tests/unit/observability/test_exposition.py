"""A scrape reads the same text as if the library of Prometheus had counted by itself."""

from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client import Counter as LibraryCounter

from appliance.observability.exposition import Exposition
from appliance.observability.instruments import Instruments


def lines(page: bytes, *names: str) -> list[str]:
    """The lines of some metrics; when they began aside."""
    return [
        line
        for line in page.decode().splitlines()
        if any(f"{name}_" in line or f"{name} " in line for name in names)
        and ("_created" not in line or line.startswith("#"))
    ]


def test_counts_and_spreads_are_written_as_the_library_writes_its_own() -> None:
    registry = CollectorRegistry()
    requests = LibraryCounter("appliance_requests", "Replies", ["endpoint", "status"], registry=registry)
    refused = LibraryCounter(
        "appliance_ledger_refusals",
        "Answers withheld because their usage could not be recorded",
        registry=registry,
    )
    tokens = Histogram(
        "appliance_batch_tokens",
        "Tokens in one call of the model, padding included",
        buckets=(16, 32, 64, 128, 256, 512, 1024, 2048, 4096),
        registry=registry,
    )
    ours = Instruments()
    for endpoint, status in (("analyze", "200"), ("analyze", "200"), ('od"d', "500")):
        requests.labels(endpoint, status).inc()
        ours.requests.labels(endpoint, status).inc()
    refused.inc()
    ours.refused.inc()
    for amount in (1, 16, 17, 5000):
        tokens.observe(amount)
        ours.batch_tokens.observe(amount)
    names = ("appliance_requests", "appliance_batch_tokens", "appliance_ledger_refusals")
    found = lines(Exposition(ours, CollectorRegistry()).text(), *names)
    assert sorted(found) == sorted(lines(generate_latest(registry), *names))
    assert any(line.startswith("appliance_batch_tokens_bucket") for line in found)


def test_every_metric_of_the_process_is_there_and_every_beginning() -> None:
    page = Exposition(Instruments(), CollectorRegistry()).text().decode()
    assert "process_resident_memory_bytes" in page
    assert "appliance_batch_tokens_created" in page
    assert "appliance_ledger_refusals_created" in page
