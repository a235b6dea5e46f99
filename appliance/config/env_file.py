"""The environment file of the systemd unit, which commands on the same host read as well."""

from pathlib import Path
from typing import Final

ENVIRONMENT_FILE: Final = Path("/etc/appliance/appliance.env")


def read_env_file(path: Path = ENVIRONMENT_FILE) -> dict[str, str]:
    """Return the assignments of a systemd environment file (systemd.exec(5)); empty if it cannot be read."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return {}
    values = {}
    for line in lines:
        key, equals, value = line.strip().partition("=")
        if equals and not key.startswith(("#", ";")):
            value = value.strip()
            if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
                value = value[1:-1]
            values[key.strip()] = value
    return values
