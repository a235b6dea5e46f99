"""TLS of the listening socket: the server's certificate, and client certificates where they are asked for."""

import ssl
from pathlib import Path
from typing import Final

from appliance.config.settings import Settings
from appliance.errors import SettingsError

_HINT: Final = (
    "Tls:Certificate is a PEM file with the chain, Tls:Key its private key; the service's user reads both"
)


def server_context(settings: Settings) -> ssl.SSLContext | None:
    """Make the TLS context that the settings ask for; None for plain HTTP.

    Raises:
        SettingsError: A setting is missing beside another, or a file cannot be used.
    """
    certificate, key, authority = settings.tls_certificate, settings.tls_key, settings.tls_client_authority
    if certificate is None:
        if key is not None or authority is not None:
            raise SettingsError("Tls:Certificate is missing beside the other Tls settings.", hint=_HINT)
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(certificate, key, password=_no_password)
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"the certificate {certificate} cannot be used with its key: {_reason(error)}", hint=_HINT
        ) from error
    if authority is not None:
        _require_clients(context, authority)
    return context


def _require_clients(context: ssl.SSLContext, authority: Path) -> None:
    context.verify_mode = ssl.CERT_REQUIRED
    try:
        context.load_verify_locations(authority)
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"Tls:ClientAuthority {authority} cannot be used: {_reason(error)}",
            hint="it is a PEM file with the certificates that may vouch for clients",
        ) from error


def _no_password() -> str:
    raise ValueError("the key is encrypted: write it without a passphrase (`openssl pkey -in KEY -out NEW`)")


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
