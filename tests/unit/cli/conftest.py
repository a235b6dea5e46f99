"""Commands typed at a site, and exported models."""

from tests.support.exports import export, exported_files
from tests.support.operate import operate, said

__all__ = ["export", "exported_files", "operate", "said"]
