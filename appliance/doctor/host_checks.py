"""Checks of the machine: processor, memory, model, port, service unit, left-over secrets."""

from collections.abc import Sequence
from typing import Final

from appliance.doctor.facts import MemoryFact, PathFact, ProcessorFact, UnitFact
from appliance.doctor.finding import Finding, failed, passed, warned
from appliance.doctor.probe import PortFact
from appliance.errors import ApplianceError
from appliance.host.memory import BASE_BYTES, MIB, MODEL_FACTOR, session_bytes
from appliance.ner.model_folder import ModelFolder
from appliance.speech.model.folder import SpeechFolder
from license.errors import LicenseError
from license.files import quoted

_WHEELS: Final = frozenset({"x86_64", "aarch64"})


def check_processor(fact: ProcessorFact) -> Finding:
    """The processor is one that the model runs on, and runs well on."""
    about = f"{fact.machine}, {fact.cores} usable core{'s' if fact.cores != 1 else ''}"
    if fact.machine not in _WHEELS:
        return failed(
            "processor", f"{about}: there is no build for it", "use a machine with x86_64 or aarch64"
        )
    if fact.machine == "aarch64" or not fact.flags:
        return passed("processor", about)
    if "avx2" not in fact.flags:
        return warned(
            "processor",
            f"{about}, without AVX2: answers take several times longer",
            "in a virtual machine, pass the host's processor on (cpu mode host-passthrough)",
        )
    fast = "avx512_vnni" in fact.flags or "avx_vnni" in fact.flags
    return passed("processor", f"{about}, {'AVX2 and VNNI' if fast else 'AVX2'}")


def check_memory(fact: MemoryFact, model_bytes: int, sessions: int = 0) -> Finding:
    """There is memory for the model.

    Args:
        fact: What there is.
        model_bytes: Size of the models' files.
        sessions: `Engine:Sessions`; 0 if the service chooses what fits.
    """
    least = BASE_BYTES + MODEL_FACTOR * model_bytes
    need = least + max(0, sessions - 1) * session_bytes(model_bytes)
    about = f"{fact.available // MIB} of {fact.limit // MIB} MiB are free, about {need // MIB} are needed"
    if fact.limit and fact.limit < least:
        return failed("memory", about, "give the machine more memory, or serve a smaller model")
    if fact.limit and fact.limit < need:
        fit = 1 + (fact.limit - least) // session_bytes(model_bytes)
        return warned("memory", f"{about} for {sessions} sessions", f"Engine:Sessions={fit}, or more memory")
    if fact.limit and fact.available < need:
        return warned("memory", about, "ps -eo rss,comm --sort=-rss | head    # shows who has it")
    return passed("memory", about)


def check_model(name: str, model: ModelFolder | SpeechFolder | ApplianceError | LicenseError) -> Finding:
    """A model is whole, of a kind that is served, and opened by the licence if it is encrypted.

    Args:
        name: Project and deployment it is served as; empty if none was found.
        model: The model, or why it cannot be served.
    """
    if not isinstance(model, ModelFolder | SpeechFolder):
        hint = model.hint or "name a model folder with Mounts:Model"
        return failed("model", f"{name}: {model.message}" if name else model.message, hint)
    about = f"{model.name} {model.release} as {name}"
    if isinstance(model, SpeechFolder):
        return passed(
            "model", f"{about}, {model.graphs.layout} for {model.language or 'a language of yours'}"
        )
    return passed("model", f"{about}, finds {', '.join(model.categories)}")


def check_port(fact: PortFact, service: str) -> Finding:
    """The port is free, or it is the service of that name that has it."""
    if not fact.listening:
        return warned(
            "port",
            f"nobody answers at {fact.address}",
            "sudo systemctl start appliance.socket appliance.service",
        )
    if fact.closed:
        return passed("port", f"{fact.address} answers those who show a certificate")
    if fact.service != service:
        number = fact.address.rpartition(":")[2]
        return failed(
            "port",
            f"another program has {fact.address}",
            f"sudo ss -ltnp 'sport = :{number}'    # or choose another port: Http:Port=5001",
        )
    if not fact.ready:
        return failed(
            "port",
            f"the service at {fact.address} does not answer: {fact.message}",
            f"curl -s http://{fact.address}/status",
        )
    return passed("port", f"the service at {fact.address} is ready")


def check_unit(fact: UnitFact) -> Finding:
    """Under systemd, the unit is installed, enabled and has not failed."""
    properties = fact.properties
    if not fact.present:
        return passed("unit", "no systemd here")
    if properties.get("LoadState") != "loaded":
        return warned(
            "unit",
            f"appliance.service is {properties.get('LoadState', 'unknown')} to systemd",
            "sudo systemctl daemon-reload && sudo systemctl enable --now appliance.socket appliance.service",
        )
    if properties.get("ActiveState") == "failed":
        return failed(
            "unit",
            f"appliance.service failed ({properties.get('Result')})",
            "journalctl -u appliance -n 20 -o cat",
        )
    restarts = int(properties["NRestarts"]) if properties.get("NRestarts", "").isdecimal() else 0
    state = f"{properties.get('ActiveState')}, {properties.get('UnitFileState')}"
    if restarts:
        return warned(
            "unit",
            f"{state}; systemd had to restart it {restarts} times",
            "journalctl -u appliance -p warning",
        )
    if properties.get("UnitFileState") not in ("enabled", "enabled-runtime"):
        return warned(
            "unit",
            f"{state}: it does not come back after a restart of the machine",
            "sudo systemctl enable appliance.socket appliance.service",
        )
    return passed("unit", state)


def check_secrets(download: PathFact, credentials: Sequence[PathFact]) -> Finding:
    """Secrets that systemd passes on are root's alone, and the download key does not stay behind.

    Args:
        download: The file with address and key of the licence download.
        credentials: Files that `LoadCredential=` reads.
    """
    for fact in (download, *credentials):
        if fact.exists and (fact.mode & 0o077 or fact.uid != 0):
            return failed(
                "secrets",
                f"{fact.path} holds a secret, and is owner {fact.owner}, mode {fact.mode:04o}",
                f"sudo chown root:root {quoted(fact.path)} && sudo chmod 0600 {quoted(fact.path)}",
            )
    if download.exists:
        return warned(
            "secrets",
            f"{download.path} still holds the key for licence downloads",
            f"sudo rm {quoted(download.path)}    # once the licence is here",
        )
    kept = ", ".join(str(fact.path) for fact in credentials if fact.exists)
    return passed("secrets", f"only root can read {kept}" if kept else "no files with secrets")


def check_endpoint(address: str, error: LicenseError | None) -> Finding:
    """The vendor's endpoint answers; asked only where `Billing` names one."""
    if error is not None:
        return failed("endpoint", error.message, error.hint)
    return passed("endpoint", f"{address} answers")
