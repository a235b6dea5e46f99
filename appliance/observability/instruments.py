"""Counters and histograms; each may be filled from any thread."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.process_collector import ProcessCollector

_SECONDS: Final = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
_COMMIT_SECONDS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5)
_WINDOWS: Final = (1, 2, 4, 8, 16, 32, 64)
_TOKENS: Final = (16, 32, 64, 128, 256, 512, 1024, 2048, 4096)


class Instruments:
    """The instruments of one service, with the registry that holds them.

    Attributes:
        registry: What a scrape reads.
        requests: Replies, by endpoint and status.
        seconds: Time from the first byte of a request to the last of its reply, by endpoint.
        batch_windows: Windows in one call of the model.
        batch_tokens: Tokens in one call of the model, padding included.
        commit_seconds: Time until usage records were durable.
        records: Units that were recorded, by meter.
        document_warnings: Warnings in answers, by their code.
        refused: Usage that could not be recorded, so that its answer was withheld.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.requests = Counter(
            "appliance_requests", "Replies", ["endpoint", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "appliance_request_seconds",
            "Time a request took",
            ["endpoint"],
            registry=self.registry,
            buckets=_SECONDS,
        )
        self.batch_windows = Histogram(
            "appliance_batch_windows",
            "Windows in one call of the model",
            registry=self.registry,
            buckets=_WINDOWS,
        )
        self.batch_tokens = Histogram(
            "appliance_batch_tokens",
            "Tokens in one call of the model, padding included",
            registry=self.registry,
            buckets=_TOKENS,
        )
        self.commit_seconds = Histogram(
            "appliance_ledger_commit_seconds",
            "Time until usage records were durable",
            registry=self.registry,
            buckets=_COMMIT_SECONDS,
        )
        self.records = Counter(
            "appliance_recorded_units", "Units recorded since the start", ["meter"], registry=self.registry
        )
        self.document_warnings = Counter(
            "appliance_document_warnings",
            "Warnings about documents in answers",
            ["code"],
            registry=self.registry,
        )
        self.refused = Counter(
            "appliance_ledger_refusals",
            "Answers withheld because their usage could not be recorded",
            registry=self.registry,
        )

    def batch(self, windows: int, tokens: int) -> None:
        """Count one call of the model."""
        self.batch_windows.observe(windows)
        self.batch_tokens.observe(tokens)

    def warned(self, code: str) -> None:
        """Count one warning in an answer; its code is one of a few fixed words."""
        self.document_warnings.labels(code).inc()
