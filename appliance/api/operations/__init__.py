"""Probes, status, usage and models over HTTP."""
