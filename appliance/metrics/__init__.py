"""What `/metrics` shows to Prometheus: counts and times only, never a name, a text or a key of anybody.

instruments.py   counters and histograms that the running parts fill
measured.py      puts them around requests, usage store and engine
standing.py      licence, plan, ledger, clock and disk, asked at each scrape
page.py          the page itself

Each service has a registry of its own; nothing is global. docs/monitoring.md lists the metrics.
"""
