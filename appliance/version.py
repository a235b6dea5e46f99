"""What this software calls itself, in one place."""

from importlib.metadata import version
from typing import Final

VERSION: Final = version("offline-appliance")
