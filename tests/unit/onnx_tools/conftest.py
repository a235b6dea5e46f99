"""Graphs of the tiny model."""

from tests.unit.ner.conftest import make_graph

__all__ = ["make_graph"]
