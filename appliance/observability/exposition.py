"""What a scrape reads: the instruments, the process and the parts, in the text format of Prometheus."""

from collections.abc import Iterable
from math import isinf

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from appliance.observability.counting import Counter, Histogram
from appliance.observability.instruments import Instruments


class InstrumentsCollector(Collector):
    """Reads the instruments at each scrape.

    Args:
        instruments: What is read.
    """

    def __init__(self, instruments: Instruments) -> None:
        self._instruments = instruments

    def collect(self) -> Iterable[Metric]:
        """Yield every instrument."""
        for instrument in self._instruments.all():
            yield _counts(instrument) if isinstance(instrument, Counter) else _spreads(instrument)


class Exposition:
    """The page of a service.

    Args:
        instruments: Its counters and histograms.
        collector: Further metrics.
    """

    def __init__(self, instruments: Instruments, collector: Collector) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._registry.register(InstrumentsCollector(instruments))
        self._registry.register(collector)

    def text(self) -> bytes:
        """Return the page as it is now. Blocks: the disk is asked for its free space."""
        return generate_latest(self._registry)


def _counts(counter: Counter) -> Metric:
    family = CounterMetricFamily(counter.name, counter.text, labels=counter.label_names)
    for labels, count in counter.parts():
        family.add_metric([*labels.values()], count.value, created=count.created)
    return family


def _spreads(histogram: Histogram) -> Metric:
    family = HistogramMetricFamily(histogram.name, histogram.text, labels=histogram.label_names)
    for labels, spread in histogram.parts():
        buckets = [(_text(bound), count) for bound, count in spread.buckets()]
        family.add_metric([*labels.values()], buckets, spread.total)
        family.add_sample(f"{histogram.name}_created", labels, spread.created)
    return family


def _text(bound: float) -> str:
    return "+Inf" if isinf(bound) else str(float(bound))
