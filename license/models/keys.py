"""The licence as key: from a licence and a model line to the age identity that opens the line's packages.

A vendor has one identity per model line, and every release of the line is encrypted to it. A licence carries
it, wrapped for the machine it is bound to (`enc` is `hpke`) or, in a bearer licence, in clear (`plain`).
"""

from __future__ import annotations

from license.crypto import age
from license.crypto.hpke import HpkeKey, wrap
from license.errors import Malformed, NoModelKey, WrongMachine
from license.licenses.license import License
from license.licenses.terms import ModelKey


def info_for(license_id: str, train: str) -> bytes:
    """Return what the wrapping of a line's identity is bound to: licence and line."""
    return f"{license_id}\n{train}".encode()


def bind_identity(identity: str, *, train: str, license_id: str, to: bytes | None) -> ModelKey:
    """Return the licence's entry for a line (the vendor's side of `identity_for`).

    Args:
        identity: The line's age identity.
        train: The line, such as `ner-en/3`.
        license_id: The licence that will hold the entry.
        to: The machine's X25519 public key; None puts the identity in clear, for a bearer licence.

    Raises:
        Malformed: `to` is not a usable key, or `train` not a model line.
    """
    secret = identity.encode("ascii")
    if to is None:
        return ModelKey(train=train, enc="plain", key=secret)
    return ModelKey(train=train, enc="hpke", key=wrap(secret, to=to, info=info_for(license_id, train)))


def identity_for(license: License, train: str, hpke: HpkeKey | None) -> str:
    """Return the age identity that opens packages of the model line `train`.

    Args:
        license: A licence that `license.licenses.verify.open_license` returned.
        train: The line, such as `ner-en/3`.
        hpke: This machine's key; None where it has none.

    Raises:
        NoModelKey: the licence does not open the line, or needs a machine's key and there is none.
        WrongMachine: the licence's key was wrapped for another machine.
        Malformed: what was wrapped is not an identity.
    """
    entry = next((model for model in license.models if model.train == train), None)
    if entry is None:
        raise NoModelKey(_lacking(license, train))
    if entry.enc == "plain":
        secret = entry.key
    elif hpke is None:
        raise NoModelKey(
            f"licence {license.id} holds the key of model line {train} wrapped for one machine, and this one "
            "has no key to unwrap it with",
            hint="restore the key that lay beside the instance key, or make a new request on this machine",
        )
    else:
        try:
            secret = hpke.unwrap(entry.key, info=info_for(license.id, train))
        except WrongMachine as error:
            raise WrongMachine(
                f"the key of model line {train} in licence {license.id} was wrapped for another machine"
            ) from error
    try:
        identity = secret.decode("ascii")
        age.recipient_of(identity)
    except (UnicodeDecodeError, Malformed) as error:
        raise Malformed(
            f"licence {license.id} holds something else than a key for model line {train}",
            hint="tell the vendor: the licence was made wrongly",
        ) from error
    return identity


def _lacking(license: License, train: str) -> str:
    lines = [model.train for model in license.models]
    opens = f"it opens {', '.join(lines)}" if lines else "it opens no model line"
    return f"licence {license.id} (serial {license.serial}) does not open the model line {train}; {opens}"
