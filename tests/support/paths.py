"""Where the repository and the test vectors are."""

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
VECTORS: Final = ROOT / "tests" / "vectors"
BUNDLED: Final = ROOT / "appliance" / "bundled"
ENGLISH: Final = BUNDLED / "ner-en"
"""The smaller of the general models."""
