"""Usage as a table in the columns of FOCUS, the open specification for billing data; a row per day and meter.

Prices are not known off line, so every cost is 0 there: what was bought in advance costs nothing again, and
the rest is for the vendor to say, whose own table has the costs. `ConsumedQuantity` is what was used,
`PricingQuantity` what counts.

Holds the mandatory columns of FOCUS 1.3, and those of 1.0 to 1.2 that it renamed (`ProviderName`,
`PublisherName`): https://focus.finops.org/focus-specification/
"""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from license.encoding.strict import DAY, format_date, format_time, parse_date
from license.evidence.log.entry import Tally

_UNITS: Final = {"TextRecords": "Text Records", "AudioSeconds": "Seconds"}
SERVICE_NAME: Final = "Offline Appliance"
# Who sells it, makes it, bills it and runs what it runs on: of the last nothing is known here.
_PROVIDERS: Final = (
    "HostProviderName",
    "InvoiceIssuerName",
    "ProviderName",
    "PublisherName",
    "ServiceProviderName",
)
COLUMNS: Final = (
    "BilledCost",
    "BillingAccountId",
    "BillingAccountName",
    "BillingCurrency",
    "BillingPeriodEnd",
    "BillingPeriodStart",
    "ChargeCategory",
    "ChargeClass",
    "ChargeDescription",
    "ChargeFrequency",
    "ChargePeriodEnd",
    "ChargePeriodStart",
    "ConsumedQuantity",
    "ConsumedUnit",
    "ContractedCost",
    "EffectiveCost",
    "HostProviderName",
    "InvoiceIssuerName",
    "ListCost",
    "PricingQuantity",
    "PricingUnit",
    "ProviderName",
    "PublisherName",
    "ResourceId",
    "ResourceName",
    "ResourceType",
    "ServiceCategory",
    "ServiceName",
    "ServiceProviderName",
    "SkuId",
    "SubAccountId",
    "SubAccountName",
    "x_Requests",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeteredDay:
    """What one log used of one meter on one UTC day.

    Attributes:
        origin: The log.
        date: `YYYY-MM-DD`.
        meter: The meter.
        tally: The sums.
        subscription: What pays; empty if it is not known here.
        customer: Whose; empty if that is not known here.
        cost: What it costs; None where that is not known, as off line.
        currency: Of the cost, ISO 4217.
    """

    origin: str
    date: str
    meter: str
    tally: Tally
    subscription: str = ""
    customer: str = ""
    cost: Decimal | None = None
    currency: str = ""


def focus_csv(days: Iterable[MeteredDay]) -> str:
    """Return the table: CSV with a heading, lines ending in CR LF (RFC 4180), rows by day, log and meter."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\r\n")
    writer.writeheader()
    for used in sorted(days, key=lambda day: (day.date, day.origin, day.meter)):
        writer.writerow(_row(used))
    return text.getvalue()


def _row(used: MeteredDay) -> dict[str, str | int]:
    day = parse_date(used.date)
    month = parse_date(f"{used.date[:7]}-01")
    last = parse_date(format_date(month + 31 * DAY)[:7] + "-01")
    unit = _UNITS.get(used.meter.rpartition(".")[2], used.meter.rpartition(".")[2])
    service = used.origin.split("/")[1] if used.origin.count("/") > 1 else used.origin
    return {
        **dict.fromkeys(("BilledCost", "ContractedCost", "EffectiveCost", "ListCost"), _amount(used.cost)),
        **dict.fromkeys(("BillingAccountId", "SubAccountId"), _safe(used.subscription)),
        **dict.fromkeys(("BillingAccountName", "SubAccountName"), _safe(used.customer)),
        "BillingCurrency": used.currency or "XXX",  # ISO 4217: no currency
        "BillingPeriodStart": format_time(month),
        "BillingPeriodEnd": format_time(last),
        "ChargeCategory": "Usage",
        "ChargeClass": "",
        "ChargeDescription": used.meter,
        "ChargeFrequency": "Usage-Based",
        "ChargePeriodStart": format_time(day),
        "ChargePeriodEnd": format_time(day + DAY),
        "ConsumedQuantity": used.tally.quantity,
        "ConsumedUnit": unit,
        "PricingQuantity": used.tally.billed,
        "PricingUnit": unit,
        **dict.fromkeys(_PROVIDERS, SERVICE_NAME),
        "ResourceId": used.origin,
        "ResourceName": service,
        "ResourceType": "Usage Log",
        "ServiceCategory": "AI and Machine Learning",
        "ServiceName": service,
        "SkuId": used.meter,
        "x_Requests": used.tally.entries,
    }


def _amount(cost: Decimal | None) -> str:
    """A cost without an exponent and without zeros that say nothing; 0 where it is not known."""
    text = "0" if cost is None else f"{cost:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _safe(text: str) -> str:
    """A spreadsheet must not take a name for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@") else text
