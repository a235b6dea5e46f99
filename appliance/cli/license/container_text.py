"""The command that serves next where this runs in a container: a line for the engine, not for the program."""

import shlex
from pathlib import Path

from appliance.config.products import CUSTOM_NER
from appliance.config.settings import Settings
from appliance.host.mounts import is_mount, mount_of


def run_in_container(settings: Settings, license_directory: Path) -> str:
    """Return the `docker run` line of the disconnected run, as the containers' documents have it.

    What is mounted now is mounted again; where nothing is, `{…}` stands for what the reader has to fill in,
    which no engine takes for the name of a volume. Left of the colon stands the name of the volume or the
    directory of the host, as the kernel tells it: below the root of its file system.

    Args:
        settings: Of this run, with the name of the image.
        license_directory: Where the licence lies.
    """
    output = settings.output_mount or settings.image_output or Path("/output")
    volumes = {license_directory: "", output: "{OUTPUT_PATH}"}
    if settings.model_mount is not None:
        volumes[settings.model_mount] = "{MODELS_PATH}"
    words = ["docker", "run", "--rm", "-it", "-p", f"{settings.port}:{settings.port}"]
    words += ["--memory", "4g", "--cpus", "4"]
    for directory, otherwise in volumes.items():
        words += ["-v", f"{_source(directory, otherwise)}:{directory}"]
    roots = Path("/etc/appliance/roots.d")
    if is_mount(roots):
        words += ["-v", f"{_source(roots, '')}:{roots}:ro"]
    words += [settings.image_name, "eula=accept"]
    words += [f"Mounts:License={license_directory}", f"Mounts:Output={output}"]
    if settings.service is not CUSTOM_NER and "speech-to-text" not in settings.image_name:
        words.append(f"Service={settings.service.name}")
    return shlex.join(words)


def _source(directory: Path, otherwise: str) -> str:
    return mount_of(directory).source if is_mount(directory) or not otherwise else otherwise
