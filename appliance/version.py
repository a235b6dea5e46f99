"""What this software calls itself, in one place."""

from importlib.metadata import version
from typing import Final

VERSION: Final = version("offline-appliance")
PRODUCT: Final = "ner"
"""Product that a licence must name."""
SERVICE: Final = "customner"
"""Service name of `/status`, of usage reports and of the output directory, as the containers have it."""
