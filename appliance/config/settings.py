"""Start parameters as the containers take them, read once into a frozen `Settings`.

Two sources, the later wins: the environment (`Mounts__License=…`), then the command line
(`Mounts:License=…`, `--Mounts:License=…`, `--Mounts:License …`, `/Mounts:License=…`). Keys are the same in
any letter case. The rules are those of .NET's `CommandLineConfigurationProvider` and
`EnvironmentVariablesConfigurationProvider`, which the original containers use; `docs/operator.md` lists them.

No setting names a trust root: whoever can change a setting must not be able to choose who is believed.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from appliance.config.access import KEY_FILE, OPERATOR_FILE, keys_and_operators
from appliance.config.command_line import display_types
from appliance.config.network_parsers import IPNetwork, parse_hosts, parse_networks, parse_origins
from appliance.config.products import CUSTOM_NER, Product
from appliance.config.secrets import shown_in_process_list
from appliance.config.setting_parsers import (
    choice_of,
    number_within,
    parse_boolean,
    parse_directory,
    parse_file,
    parse_files,
    parse_locale,
    parse_log_level,
    parse_mib,
    parse_name,
    parse_product,
)
from appliance.config.setting_words import read_value, read_words
from appliance.config.terms import terms_file
from appliance.errors import SettingsError


def _setting(key: str, default: Any, parse: Callable[[str], Any], help_text: str) -> Any:
    return field(default=default, metadata={"key": key, "parse": parse, "help": help_text})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every start parameter, read and checked; field metadata carries its key and its help line."""

    eula: str = _setting("Eula", "", str, "accept: you accept the licence terms (always needed)")
    service: Product = _setting(
        "Service", CUSTOM_NER, parse_product, "the service to run: customner or speechtotext"
    )
    billing: str = _setting(
        "Billing", "", str, "billing endpoint; for a connected run and the licence download"
    )
    api_key: str = _setting("ApiKey", "", str, "a key of the billing resource")
    download_license: bool = _setting(
        "DownloadLicense", False, parse_boolean, "True: fetch a licence into Mounts:License and exit"
    )
    license_mount: Path | None = _setting(
        "Mounts:License", None, parse_directory, "directory that holds the licence (a directory, not a file)"
    )
    output_mount: Path | None = _setting(
        "Mounts:Output", None, parse_directory, "directory for usage records; needed to serve without network"
    )
    state_mount: Path | None = _setting(
        "Mounts:State",
        None,
        parse_directory,
        "directory for this machine's keys (default: systemd's StateDirectory, or beside the licence)",
    )
    output_disposable: bool = _setting(
        "Output:Disposable",
        False,
        parse_boolean,
        "True: usage records may end with the container; the licence must allow it",
    )
    image_license: Path | None = _setting(
        "Image:License",
        None,
        parse_directory,
        "set by an image: licence directory of a disconnected run where Mounts:License is not given",
    )
    image_output: Path | None = _setting(
        "Image:Output",
        None,
        parse_directory,
        "set by an image: output where Mounts:Output is not given",
    )
    image_state: Path | None = _setting(
        "Image:State",
        None,
        parse_directory,
        "set by an image: state directory of a connected run, or where a volume lies there",
    )
    image_name: str = _setting("Image:Name", "", str, "set by an image: its name, for printed commands")
    model_mount: Path | None = _setting(
        "Mounts:Model",
        None,
        parse_directory,
        "model folder to serve (default: the bundled one that Models:General names)",
    )
    model_id: str = _setting(
        "ModelId", "", str, "speech model to download if there is none yet: its id, or LINE or LINE/RELEASE"
    )
    base_model_locale: str = _setting(
        "BaseModelLocale", "", parse_locale, "list the base speech models of a locale and exit"
    )
    display_locale: str = _setting(
        "DisplayLocale", "", parse_locale, "download the newest display models of a locale and exit"
    )
    punct_id: str = _setting("PunctId", "", str, "punctuation model to download")
    rescore_id: str = _setting("RescoreId", "", str, "rescoring model to download")
    resegment_id: str = _setting("ResegmentId", "", str, "model of sentence ends to download")
    wfstitn_id: str = _setting("WfstitnId", "", str, "model of written forms to download")
    model_mib: int = _setting(
        "Models:MemoryMiB",
        0,
        number_within(0, 1 << 24),
        "memory for models; those not used for longest leave it (0: what the machine has)",
    )
    download_seconds: int = _setting(
        "Models:DownloadSeconds",
        3600,
        number_within(1, 86_400),
        "longest time that a model download may take",
    )
    models_path: Path | None = _setting(
        "Models:Path",
        None,
        parse_directory,
        "directory of several models, PROJECT/DEPLOYMENT below it (default: /modelPath where it exists)",
    )
    general_model: str = _setting(
        "Models:General",
        "multi",
        choice_of("multi", "en"),
        "bundled model that answers where there is no other: many languages, or English alone for less cost",
    )
    bundled_speech: str = _setting(
        "Models:Speech",
        "both",
        choice_of("both", "dictation", "commands"),
        "bundled speech models where no other is named: dictation, commands (digits, letters), or both",
    )
    exported_model_name: str = _setting(
        "ExportedModelName", "", parse_name, "serve only this model of Models:Path, as the container does"
    )
    model_alias: str = _setting(
        "Models:Alias", "", str, "modelId of v3.1-preview.ct.1 clients that means the default model"
    )
    project_name: str = _setting("ProjectName", "demo", parse_name, "project the model is served as")
    deployment_name: str = _setting(
        "DeploymentName", "production", parse_name, "deployment the model is served as"
    )
    authoring_enabled: bool = _setting(
        "Authoring:Enabled", False, parse_boolean, "True: serve the authoring API; needs access control"
    )
    authoring_documents: Path | None = _setting(
        "Authoring:Documents",
        None,
        parse_directory,
        "directory with a folder for each storage container (default: in the state directory)",
    )
    authoring_publish: bool = _setting(
        "Authoring:Publish", False, parse_boolean, "True: deploy below Models:Path too, for other replicas"
    )
    host: str = _setting("Http:Host", "0.0.0.0", str, "address to listen on")  # noqa: S104 (as the containers)
    port: int = _setting("Http:Port", 5000, number_within(0, 65535), "port to listen on")
    reuse_port: bool = _setting(
        "Http:ReusePort", False, parse_boolean, "True: share the port with other replicas on this host"
    )
    workers: int = _setting(
        "Workers", 1, number_within(1, 256), "processes that share the port and the cores of this host"
    )
    worker_port: int = _setting(
        "Workers:Port", 0, number_within(0, 65535), "a port for each worker alone, from this on (0: none)"
    )
    trusted_proxies: tuple[IPNetwork, ...] = _setting(
        "Http:TrustedProxies",
        parse_networks("127.0.0.0/8, ::1"),
        parse_networks,
        "networks of proxies whose X-Forwarded-… and Forwarded headers are trusted, comma-separated",
    )
    allowed_hosts: tuple[str, ...] = _setting(
        "Http:AllowedHosts",
        (),
        parse_hosts,
        "further names of this service, comma-separated; *.DOMAIN: all below it, *: any",
    )
    allowed_origins: tuple[str, ...] = _setting(
        "Http:AllowedOrigins",
        (),
        parse_origins,
        "other web origins whose pages may use this service (CORS), comma-separated; * for any",
    )
    connections: int = _setting(
        "Http:Connections",
        8192,
        number_within(16, 1_000_000),
        "open connections at once, as far as the limit of open files allows",
    )
    head_seconds: int = _setting(
        "Http:HeadSeconds", 20, number_within(1, 3600), "longest time for the head of a request to arrive"
    )
    body_seconds: int = _setting(
        "Http:BodySeconds",
        30,
        number_within(1, 3600),
        "longest pause of a caller that sends or reads a body",
    )
    keep_alive_seconds: int = _setting(
        "Http:KeepAliveSeconds",
        75,
        number_within(1, 86_400),
        "how long a connection without requests is kept",
    )
    tls_certificate: Path | None = _setting(
        "Tls:Certificate", None, parse_file, "PEM file with the server's certificate chain: serve HTTPS"
    )
    tls_key: Path | None = _setting(
        "Tls:Key", None, parse_file, "PEM file with its private key (default: in the certificate's file)"
    )
    tls_client_authority: Path | None = _setting(
        "Tls:ClientAuthority",
        None,
        parse_file,
        "PEM file of authorities: only clients with their certificates are served",
    )
    drain_seconds: int = _setting(
        "Http:DrainSeconds", 20, number_within(0, 3600), "longest wait for running requests at stop"
    )
    lame_duck_seconds: int = _setting(
        "Http:LameDuckSeconds",
        0,
        number_within(0, 3600),
        "at stop, seconds in which /ready says 503 and requests are still answered, for a balancer to notice",
    )
    max_body_bytes: int = _setting(
        "Limits:BodyBytes", 4 * 1024 * 1024, number_within(1024, 1 << 30), "largest request body"
    )
    documents_per_job: int = _setting(
        "Limits:DocumentsPerJob", 25, number_within(1, 10_000), "documents in one job"
    )
    characters_per_job: int = _setting(
        "Limits:CharactersPerJob",
        125_000,
        number_within(1, 1 << 30),
        "text elements in one job, all documents",
    )
    documents_per_request: int = _setting(
        "Limits:DocumentsPerRequest", 5, number_within(1, 10_000), "documents in one synchronous request"
    )
    characters_per_document: int = _setting(
        "Limits:CharactersPerDocument",
        5_120,
        number_within(1, 1 << 30),
        "text elements in one synchronous document",
    )
    jobs_kept: int = _setting(
        "Limits:JobsKept", 10_000, number_within(1, 1 << 24), "jobs kept for 24 hours at most"
    )
    job_characters_waiting: int = _setting(
        "Limits:JobCharactersWaiting",
        10_000_000,
        number_within(1, 1 << 40),
        "characters in all jobs that wait or run; beyond them new jobs are refused (429)",
    )
    jobs_database: str = _setting(
        "Jobs:Database", "", str, "SQLAlchemy URL of the job store (default: jobs.db in the state directory)"
    )
    jobs_fleet: str = _setting(
        "Jobs:Fleet", "", parse_name, "replicas that name the same fleet and Jobs:Database share their jobs"
    )
    jobs_lapse_seconds: int = _setting(
        "Jobs:LapseSeconds", 30, number_within(1, 3600), "silence after which a fleet takes a replica's jobs"
    )
    job_turns: int = _setting("Jobs:Turns", 4, number_within(1, 1_000), "pieces of jobs that run at once")
    ledger_anchors: tuple[Path, ...] = _setting(
        "Ledger:Anchors",
        (),
        parse_files,
        "files that receive each signed head of the usage log, comma-separated",
    )
    sessions: int = _setting(
        "Engine:Sessions",
        0,
        number_within(0, 256),
        "model sessions, one thread each (0: chosen for cores and memory)",
    )
    batch_tokens: int = _setting(
        "Engine:BatchTokens",
        0,
        number_within(0, 1 << 20),
        "padded tokens in one batch (0: chosen for this machine)",
    )
    queue_tokens: int = _setting(
        "Engine:QueueTokens",
        262_144,
        number_within(16, 1 << 30),
        "tokens that may wait before new requests are refused (429)",
    )
    queue_seconds: int = _setting(
        "Engine:QueueSeconds",
        5,
        number_within(1, 3600),
        "work that may wait before new requests are refused (429), in seconds at the model's pace",
    )
    speech_locale: str = _setting(
        "Speech:Locale", "en-US", parse_locale, "locale of a speech model that does not name its own"
    )
    speech_activity: Path | None = _setting(
        "Speech:ActivityModel",
        None,
        parse_directory,
        "folder of a small ONNX model that tells speech from silence (default: by energy)",
    )
    speech_connections: int = _setting(
        "Speech:Connections", 1_000, number_within(1, 100_000), "open speech connections"
    )
    speech_turns: int = _setting(
        "Speech:Turns", 64, number_within(1, 10_000), "speech recognitions under way at once"
    )
    speech_idle_seconds: int = _setting(
        "Speech:IdleSeconds",
        300,
        number_within(1, 86_400),
        "seconds without data after which a speech client is disconnected",
    )
    speech_least_percent: int = _setting(
        "Speech:LeastConfidencePercent",
        60,
        number_within(0, 100),
        "confidence below which speech is answered as not understood; 0 answers always",
    )
    transcribe_bytes: int = _setting(
        "Speech:TranscribeBytes", 64 * 1024 * 1024, number_within(1024, 1 << 30), "largest file to transcribe"
    )
    log_level: str = _setting(
        "Logging:LogLevel:Default", "information", parse_log_level, "lowest level that is logged"
    )
    console_level: str = _setting(
        "Logging:Console:LogLevel:Default",
        "",
        parse_log_level,
        "lowest level on the console (default: Logging:LogLevel:Default)",
    )
    metering_seconds: int = _setting(
        "Metering:IntervalSeconds",
        600,
        number_within(1, 900),
        "seconds between two usage reports; connected only",
    )
    http_proxy: str = _setting("HTTP_PROXY", "", str, "proxy to the endpoint; connected only")
    https_proxy: str = _setting("HTTPS_PROXY", "", str, "proxy to an https endpoint, used before HTTP_PROXY")
    http_proxy_creds: str = _setting("HTTP_PROXY_CREDS", "", str, "user:password for the proxy")
    no_proxy: str = _setting(
        "NO_PROXY", "", str, "hosts and domains to reach without the proxy, comma-separated"
    )
    key_file: Path | None = _setting(
        KEY_FILE, None, parse_file, "file of keys that callers must send, one per line"
    )
    operator_file: Path | None = _setting(
        OPERATOR_FILE, None, parse_file, "file of keys that open /admin, one per line"
    )
    callers: tuple[tuple[str, str], ...] = ()
    operator_keys: tuple[tuple[str, str], ...] = ()
    exposed: tuple[str, ...] = ()
    display_types: tuple[str, ...] = ()
    console_format: str = _setting(
        "Logging:Console:FormatterName",
        "simple",
        choice_of("simple", "json"),
        "simple, or json: one object per line",
    )
    disk_format: str = _setting(
        "Logging:Disk:Format", "", choice_of("json"), "json: also log to files below Mounts:Output"
    )
    disk_max_mib: int = _setting(
        "Logging:Disk:MaxFileSize",
        1,
        parse_mib,
        "size in MiB after which a new log file begins; ten are kept (-1: no limit)",
    )
    unknown: tuple[str, ...] = ()
    inert: tuple[str, ...] = ()
    lease: bool = False
    worker: int = 0

    @classmethod
    def read(cls, args: Sequence[str], environ: Mapping[str, str]) -> "Settings":
        """Read the settings from command-line words and an environment.

        Args:
            args: Words after the program's name, such as `["Eula=accept", "--Http:Port", "5001"]`.
            environ: Environment variables; only known keys are looked at.

        Returns:
            The settings. Keys on the command line that nothing reads are kept in `unknown`.

        Raises:
            SettingsError: A word cannot be read, or a value is not of its setting's kind.
        """
        fields = {f.metadata["key"].lower(): f for f in dataclasses.fields(cls) if f.metadata}
        words = read_words(args, environ, known=frozenset(fields))
        values = {fields[key].name: read_value(fields[key], text) for key, text in words.values.items()}
        callers, operators = keys_and_operators(
            words.access, key_file=values.get("key_file"), operator_file=values.get("operator_file")
        )
        return cls(
            **values,
            callers=callers,
            operator_keys=operators,
            exposed=shown_in_process_list(args),
            display_types=display_types(args),
            unknown=words.unknown,
            inert=words.inert,
        )

    @property
    def api_keys(self) -> tuple[str, ...]:
        """The keys of callers, without their names."""
        return tuple(key for _, key in self.callers)

    @property
    def controls_access(self) -> bool:
        """Whether anything says who may call: keys of callers, or an authority of their certificates."""
        return bool(self.api_keys) or self.tls_client_authority is not None

    @property
    def connected(self) -> bool:
        """Whether these settings ask for a connected run: `Billing` or `ApiKey`, and no licence."""
        asked = bool(self.billing or self.api_key)
        return self.lease or (asked and self.license_mount is None and not self.download_license)

    def require_eula(self) -> None:
        """Refuse to go on unless the licence terms were accepted.

        Raises:
            SettingsError: `Eula` is missing or is not `accept`.
        """
        if self.eula.strip().lower() != "accept":
            raise SettingsError(
                "Missing EULA=accept command line option. You must provide this to continue.",
                hint=f"read {terms_file()}, then add Eula=accept",
            )
