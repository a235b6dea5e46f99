"""The errors of the service, without any HTTP status or exit code.

    ApplianceError
    ├── SettingsError             a start parameter is missing or wrong
    ├── IdentityError             the instance keys cannot be read or made
    ├── OutputError               the output mount cannot hold a ledger
    │   └── LedgerLocked          another process owns this ledger
    ├── UsageStoreUnavailable     a usage record could not be made durable; nothing was answered
    ├── NotMetered                a connected run could not report to its endpoint for too long
    ├── JobStoreUnavailable       a job could not be stored or looked up
    ├── ModelError                a model folder is refused
    ├── MissingExtra              an optional part of this software is not installed
    ├── DatasetError              labelled text cannot be learnt from (`appliance.datasets.label_errors`)
    ├── Busy                      the queue is full; try again in a moment
    ├── Stopping                  the service drains and takes no new work
    ├── InferenceFailed           the model failed on this input
    ├── ModelLabelTaken           somebody else trains, or has trained, under this name
    ├── UnknownDeployment         no model is served under that project and deployment
    ├── UnknownModelVersion       no model of that version is served
    ├── LicenseRefusal            the licence does not allow this request now
    └── Problem                   the caller's request is wrong (`appliance.api.errors`)

Every error carries a stable `code`, one sentence and, where something can be done, a next step (`hint`).
HTTP statuses live in `appliance.api.errors`, exit codes in `appliance.cli.main`.
"""


class ApplianceError(Exception):
    """Base of every refusal and failure the service reports by name.

    Args:
        message: One sentence for a person; never holds customer text.
        hint: The next step, if there is one; defaults to the class's own.
    """

    code = "ApplianceError"
    default_hint = ""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = self.default_hint if hint is None else hint


class SettingsError(ApplianceError):
    """A start parameter is missing, unknown in value, or contradicts another."""

    code = "SettingsError"


class IdentityError(ApplianceError):
    """The keys of this installation cannot be read, or may not be made."""

    code = "IdentityError"


class OutputError(ApplianceError):
    """The output mount is missing, not writable, or on a file system that cannot keep a ledger."""

    code = "OutputError"


class LedgerLocked(OutputError):
    """Another process holds the lock of this ledger."""

    code = "LedgerLocked"
    default_hint = "stop the other service that uses this output mount and state directory, then start again"


class UsageStoreUnavailable(ApplianceError):
    """A usage record could not be made durable, so its answer was withheld."""

    code = "UsageStoreUnavailable"
    default_hint = "check free space and the mount state of the output directory; service resumes by itself"


class NotMetered(ApplianceError):
    """A connected run has not checked its key yet, or could not report for too long; nothing is answered.

    Args:
        message: One sentence saying since when, and why.
        code: The status word, such as `CouldNotConnect`.
        hint: What to do.
        retry_after_s: Seconds until the endpoint is asked again.
    """

    def __init__(self, message: str, *, code: str, hint: str, retry_after_s: int) -> None:
        super().__init__(message, hint=hint)
        self.code = code
        self.retry_after_s = retry_after_s


class JobStoreUnavailable(ApplianceError):
    """The database of the jobs does not do what it should; what depends on it is refused."""

    code = "JobStoreUnavailable"
    default_hint = "check free space in the state directory, or the database that Jobs:Database names"


class UsageUndecided(ApplianceError):
    """Nobody can tell any more whether a job's task was counted, so it is not done again."""

    code = "UsageUndecided"
    default_hint = "submit it again; what was counted, if anything, is counted once"


class ModelError(ApplianceError):
    """A model folder is missing a file, was changed, or is of a kind that is not supported."""

    code = "ModelError"


class MissingExtra(ApplianceError):
    """Something needs an optional part of this software that is not installed."""

    code = "MissingExtra"


class Busy(ApplianceError):
    """The queue is full: the caller should come back in a moment."""

    code = "TooManyRequests"
    default_hint = "retry after a short pause"


class Stopping(ApplianceError):
    """The service is draining and takes no new work."""

    code = "Stopping"
    default_hint = "retry against another instance or when the service is back"


class InferenceFailed(ApplianceError):
    """The model raised while computing an answer."""

    code = "InferenceFailed"


class ModelLabelTaken(ApplianceError):
    """Somebody else trains, or has trained, a model under the name that a training asks for."""

    code = "ModelLabelTaken"


class UnknownDeployment(ApplianceError):
    """No model is served under the project and deployment that were asked for."""

    code = "ProjectNotFound"


class UnknownModelVersion(ApplianceError):
    """No model of the version that was asked for is served."""

    code = "ModelVersionIncorrect"


class LicenseRefusal(ApplianceError):
    """The licence in force does not allow this request at this instant.

    Args:
        message: One sentence saying which rule refuses.
        code: The licence state or status word, such as `Expired` or `OutOfQuota`.
        hint: What to do to be served again.
    """

    def __init__(self, message: str, *, code: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.code = code
