"""How errors leave the command line: `error:`, `hint:`, and the only exit codes of the package.

Codes follow sysexits(3) where it has a word: 78 configuration, 75 try again later, 74 input or output failed.
Wrong usage is click's 2, or 64 where 2 is a verdict. `license.console.refusal` has what both programs share.
The status words of a licence download have codes of their own, so that a script can tell them apart;
`docs/licence.md` has the table.
"""

import errno
from collections.abc import Sequence
from types import MappingProxyType
from typing import Final

from appliance.config.command_line import is_display_word
from appliance.errors import (
    ApplianceError,
    IdentityError,
    LedgerLocked,
    LicenseRefusal,
    ModelError,
    OutputError,
    SettingsError,
    UsageStoreUnavailable,
)
from license.console import group as console
from license.console.group import EXIT_USAGE, CommandGroup
from license.errors import (
    BadReply,
    BillingEndpointBusy,
    BillingInvalid,
    ContainerUseUnauthorized,
    CouldNotConnect,
    DownloadError,
    KeyInvalid,
    LicenseError,
    Mismatch,
    ModelDownloadTimedOut,
    NoRoom,
    OutOfQuota,
    UnknownStatus,
    Unwritable,
)

EXIT_CONFIGURATION: Final = 78
EXIT_TRY_LATER: Final = 75
EXIT_IO: Final = 74
EXIT_FAILED: Final = 1

_WRONG_PATH: Final = frozenset(
    (
        errno.EACCES,
        errno.EPERM,
        errno.ENOENT,
        errno.ENOTDIR,
        errno.EISDIR,
        errno.EEXIST,
        errno.EROFS,
        errno.ELOOP,
        errno.ENAMETOOLONG,
    )
)
"""What the system says of a path that is wrong, or not for this user: trying again changes nothing."""

DOWNLOAD_EXITS: Final[dict[type[DownloadError], int]] = {
    KeyInvalid: 10,
    Mismatch: 11,
    ModelDownloadTimedOut: 17,
    CouldNotConnect: 12,
    OutOfQuota: 13,
    BillingEndpointBusy: 14,
    ContainerUseUnauthorized: 15,
    UnknownStatus: 16,
    BadReply: 18,
    BillingInvalid: EXIT_CONFIGURATION,
}
"""Exit codes of a download, by what the authority said; the first class that an error is an instance of."""


def exit_code(error: Exception) -> int:
    """The exit code of an error; this is the one place that decides it."""
    match error:
        case OSError():
            return EXIT_CONFIGURATION if error.errno in _WRONG_PATH else EXIT_IO
        case LicenseRefusal() | UsageStoreUnavailable():
            return _refused_exit_code(error)
        case ApplianceError() | LicenseError():
            return _own_exit_code(error)
        case _:  # a database
            return EXIT_IO


def verdict_exit_code(error: Exception) -> int:
    """The exit code where 1 means findings and 2 broken evidence; `docs/auditor.md` has the table."""
    match error:
        case LicenseError():
            from license.evidence.tool.command import status_of  # only audits need all that it imports

            return status_of(error)
        case OSError() if error.errno in _WRONG_PATH:
            return EXIT_USAGE
        case _:
            return exit_code(error)


def _own_exit_code(error: ApplianceError | LicenseError) -> int:
    match error:
        case LedgerLocked():
            return EXIT_TRY_LATER
        case SettingsError() | IdentityError() | OutputError() | ModelError():
            return EXIT_CONFIGURATION
        case DownloadError():
            return next(
                (code for kind, code in DOWNLOAD_EXITS.items() if isinstance(error, kind)), EXIT_FAILED
            )
        case NoRoom():
            return EXIT_IO
        case Unwritable() | ApplianceError():
            return EXIT_FAILED
        case _:
            return EXIT_CONFIGURATION


def _refused_exit_code(error: LicenseRefusal | UsageStoreUnavailable) -> int:
    """The exit code of what a service answers with 403 or 503: the licence, the plan, the usage log."""
    if isinstance(error, UsageStoreUnavailable):
        return EXIT_IO
    return DOWNLOAD_EXITS[OutOfQuota] if error.code == OutOfQuota.code else EXIT_CONFIGURATION


class ErrorHandlingGroup(CommandGroup):
    """A command group whose commands may raise the errors of both packages, and those of the system."""

    families = (ApplianceError, LicenseError)
    optional = MappingProxyType(
        {"onnx": "use the image offline-appliance/authoring, or an installation of the bundle"}
    )

    def exit_status(self, error: Exception) -> int:
        """Return the exit code of an error."""
        return exit_code(error)


class VerdictCommand(console.VerdictCommand):
    """A command whose exit code 0, 1 or 2 is a verdict; what keeps it from one has other codes."""

    families = (ApplianceError, LicenseError)

    def exit_status(self, error: Exception) -> int:
        """Return the exit code of what kept the command from its verdict."""
        return verdict_exit_code(error)


def looks_like_settings(words: Sequence[str]) -> bool:
    """True if a command line begins with a setting and not with a command's name."""
    return bool(words) and ("=" in words[0] or words[0].startswith(("-", "/")) or is_display_word(words[0]))
