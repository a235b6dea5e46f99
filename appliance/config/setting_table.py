"""Every setting with its default and its help, as help pages and the documents list them."""

import dataclasses

from appliance.config.products import Product
from appliance.config.settings import Settings


def describe() -> list[tuple[str, str, str]]:
    """Every setting as `(key, default, help)`, in order, for help pages and docs."""
    rows = []
    for entry in dataclasses.fields(Settings):
        if entry.metadata:
            default = "" if entry.default in (None, "", ()) else str(entry.default)
            if isinstance(entry.default, Product):
                default = entry.default.name
            elif isinstance(entry.default, tuple):
                default = ", ".join(map(str, entry.default))
            rows.append((entry.metadata["key"], default, entry.metadata["help"]))
    rows.append(("ApiKeys:NAME", "", "a key that callers must send, one for each NAME"))
    rows.append(("OperatorKeys:NAME", "", "a key that opens /admin, one for each NAME; needs access control"))
    return rows
