"""Exported models."""

from tests.support.exports import export, exported_files

__all__ = ["export", "exported_files"]
