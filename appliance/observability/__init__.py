"""Logs and metrics: counts and times only, never a name, a text or a key.

Each service has a registry of its own; nothing is global. docs/monitoring.md lists the metrics.
"""
