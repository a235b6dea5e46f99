"""Where the licence terms lie, which `Eula=accept` accepts."""

import sys
from pathlib import Path


def terms_file() -> Path:
    """Return the file: beside the installed program, or in the checkout."""
    installed = Path(sys.prefix).parent / "share" / "LICENSE.md"
    checkout = Path(__file__).parents[2] / "LICENSE.md"
    return checkout if checkout.is_file() else installed
