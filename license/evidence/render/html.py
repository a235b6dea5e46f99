"""A verification as one page that an auditor can print and file: no script, nothing loaded from elsewhere."""

from collections.abc import Iterator
from html import escape
from typing import Final

from license.encoding.strict import format_time
from license.evidence.log.entry import NOTHING, Tally
from license.evidence.render.chart import charts
from license.evidence.render.meanings import meaning_of
from license.evidence.render.style import STYLE
from license.evidence.render.text import VERDICTS
from license.evidence.verify.checks import Outcome, outcomes
from license.evidence.verify.result import Coverage, Finding, LogReport, Report, Severity
from license.trust.roots import TrustRoots

MAX_SHOWN: Final = 500
_FOOTER: Final = (
    "<footer>Signatures show who recorded what, and that it was not changed since. They cannot show that "
    "a changed program, a second copy of the machine or a restored disk recorded everything: compare "
    "with receipts, the coverage above and the work that was done. Times are UTC.</footer>"
)
# A narrow window scrolls what is wide, not the page; by the keyboard too, so it can be focused.
_WIDE: Final = '<div class="wide" tabindex="0">'
_OPEN: Final = f"{_WIDE}<table>"
_CLOSE: Final = "</table></div>"
_SENTENCES: Final = {
    0: "Every check below passed. The figures are those that the installation recorded and signed.",
    1: "The evidence is consistent; the operator should explain the findings below.",
    2: "The evidence contradicts itself, or something it should rest on is missing. See the findings.",
}
_WORDS: Final = {Severity.CLEAN: "passed", Severity.FINDING: "finding", Severity.BROKEN: "broken"}
_NOTE: Final = {Severity.CLEAN: "note", Severity.FINDING: "finding", Severity.BROKEN: "broken"}


def render_page(
    report: Report, *, subject: str, sha256: str, roots: TrustRoots, checked_at: int, tool: str = ""
) -> str:
    """Return the page.

    Args:
        report: What was found.
        subject: Name of the file or directory that was verified.
        sha256: Of the file, in hex; empty for a directory.
        roots: The root keys that were trusted.
        checked_at: Unix second of the verification, by the auditor's clock.
        tool: Name and version of the program that verified; empty where it is not known.
    """
    basis = "\n".join(_basis(subject, sha256, roots, tool))
    body = "\n".join(_body(report, checked_at, basis))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "style-src 'unsafe-inline'\">\n"
        f"<title>Usage verification: {escape(VERDICTS[report.exit_code])}</title>\n"
        f"<style>{STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def _body(report: Report, checked_at: int, basis: str) -> Iterator[str]:
    customers = sorted({p.customer for log in report.logs for p in log.licenses if p.customer})
    yield "<header><h1>Verification of usage records</h1>"
    if customers:
        yield f"<p>{escape(', '.join(customers))}</p>"
    yield f'<p class="soft">Checked {format_time(checked_at)} (clock of the checking machine)</p></header>'
    code = report.exit_code
    yield "<main>"
    sentences = _SENTENCES[code] + _hidden(report)
    yield f'<div class="verdict v{code}" role="status"><b>{_title(report)}</b>{sentences}</div>'
    yield from _usage(report)
    yield from _included(report)
    yield from _checks(report)
    yield from _findings(report)
    yield from _coverage(report.coverage)
    yield "<h2>Logs and licences</h2>"
    for log in report.logs:
        yield from _log(log)
    yield basis
    yield "</main>"
    yield _FOOTER


def _title(report: Report) -> str:
    count = sum(finding.severity == report.exit_code for finding in report.findings)
    word = VERDICTS[report.exit_code].capitalize()
    return f"{word}: {count}" if report.exit_code else word


def _hidden(report: Report) -> str:
    hidden = sum(log.hidden for log in report.logs)
    if not hidden:
        return ""
    return (
        f" {hidden:,} usage entries are not shown: they are known by their hashes, their number and the sums "
        "signed for their days. A full export shows each of them."
    )


def _usage(report: Report) -> Iterator[str]:
    yield "<h2>Usage</h2>"
    if not report.totals:
        yield "<p>No usage is recorded.</p>"
        return
    by_meter: dict[str, dict[str, int]] = {}
    for log in report.logs:
        for (date, meter), tally in log.days.items():
            dates = by_meter.setdefault(meter, {})
            dates[date] = dates.get(date, 0) + tally.quantity
    for meter, dates in sorted(by_meter.items()):
        yield f"<h3>{escape(meter)}</h3>"
        for chart in charts(dates, meter):
            yield f"{_WIDE}{chart}</div>"
    yield (
        f"{_OPEN}<thead><tr><th>Month</th><th>Meter</th>"
        + "".join(f'<th class="n">{word}</th>' for word in ("Requests", "Used", "Billed"))
        + "</tr></thead><tbody>"
    )
    sums: dict[str, Tally] = {}
    for (month, meter), tally in report.totals.items():
        sums[meter] = sums.get(meter, NOTHING).plus(tally)
        yield _usage_row(month, meter, tally)
    for meter, tally in sorted(sums.items()):
        yield _usage_row("all", meter, tally)
    yield f"</tbody>{_CLOSE}"


def _usage_row(month: str, meter: str, tally: Tally) -> str:
    numbers = "".join(f'<td class="n">{number:,}</td>' for number in tally)
    strong = ("<b>", "</b>") if month == "all" else ("", "")
    return (
        f'<tr><td class="t">{strong[0]}{escape(month)}{strong[1]}</td><td>{escape(meter)}</td>{numbers}</tr>'
    )


def _included(report: Report) -> Iterator[str]:
    """What the licences in force include, beside what was counted against each in all."""
    rows = {
        (period.id, meter): (period, units)
        for log in report.logs
        for period in log.licenses
        for meter, units in period.included
    }
    if not rows:
        return
    yield f"<h3>Units that the licences include</h3>{_OPEN}<thead><tr><th>Licence</th><th>Meter</th>"
    yield '<th class="n">Included</th><th>Beyond them</th></tr></thead><tbody>'
    for (_, meter), (period, units) in rows.items():
        each = " a month" if period.monthly else ""
        beyond = "refused" if period.blocks else "counted, settled later"
        yield (
            f"<tr><td><code>{escape(period.id)}</code></td><td>{escape(meter)}</td>"
            f'<td class="n">{units:,}{each}</td><td>{beyond}</td></tr>'
        )
    yield f"</tbody>{_CLOSE}"


def _checks(report: Report) -> Iterator[str]:
    yield f'<h2>Checks</h2>{_WIDE}<table class="fits"><thead>'
    yield "<tr><th>Check</th><th>What must hold</th><th>Outcome</th></tr>"
    yield "</thead><tbody>"
    for outcome in outcomes(report):
        yield (
            f"<tr><td>{escape(outcome.check.title)}</td><td>{escape(outcome.check.rule)}</td>"
            f'<td class="t">{_outcome(outcome)}</td></tr>'
        )
    yield f"</tbody>{_CLOSE}"


def _outcome(outcome: Outcome) -> str:
    tag = f'<span class="tag t{int(outcome.severity)}">{_WORDS[outcome.severity]}</span>'
    return f"{tag} {len(outcome.findings)}" if outcome.severity else tag


def _findings(report: Report) -> Iterator[str]:
    yield "<h2>Findings</h2>"
    if not report.findings:
        yield "<p>None.</p>"
        return
    yield (
        f'{_OPEN}<thead><tr><th>Weight</th><th>Code</th><th>What</th><th class="n">Entry</th><th>Time</th>'
        "</tr></thead><tbody>"
    )
    ordered = sorted(report.findings, key=lambda finding: -finding.severity)
    for finding in ordered[:MAX_SHOWN]:
        yield _finding(finding)
    yield f"</tbody>{_CLOSE}"
    if len(ordered) > MAX_SHOWN:
        yield f"<p>{len(ordered) - MAX_SHOWN:,} more are not shown.</p>"


def _finding(finding: Finding) -> str:
    css = f"t{int(finding.severity)}" if finding.severity else "tn"
    index = "" if finding.index is None else f"{finding.index:,}"
    time = "" if finding.at is None else format_time(finding.at)
    return (
        f'<tr><td><span class="tag {css}">{_NOTE[finding.severity]}</span></td>'
        f'<td class="t"><code>{escape(finding.code)}</code></td>'
        f'<td>{escape(finding.message)}<br><code class="soft">{escape(finding.log)}</code>'
        f"{_meaning(finding)}</td>"
        f'<td class="n">{index}</td><td class="t">{time}</td></tr>'
    )


def _meaning(finding: Finding) -> str:
    meaning = meaning_of(finding.code)
    return f'<span class="means">{escape(meaning.means)} {escape(meaning.ask)}</span>'


def _coverage(coverage: Coverage) -> Iterator[str]:
    total = coverage.up + coverage.down + coverage.unexplained
    yield '<section class="keep"><h2>Coverage</h2>'
    parts = (("up", coverage.up), ("down", coverage.down), ("lost", coverage.unexplained))
    if total:
        bars = "".join(
            f'<span class="{css}" style="width:{100 * s / total:.3f}%"></span>' for css, s in parts
        )
        yield f'<div class="cover" aria-hidden="true">{bars}</div>'
    words = (("Up", coverage.up), ("Stopped in order", coverage.down), ("Unexplained", coverage.unexplained))
    terms = "".join(f"<dt>{word}</dt><dd>{_hours(seconds)}</dd>" for word, seconds in words)
    yield f"<dl>{terms}</dl></section>"


def _hours(seconds: int) -> str:
    return f"{seconds / 3600:,.1f} hours" if seconds >= 360 else f"{seconds:,} seconds"


def _log(log: LogReport) -> Iterator[str]:
    yield f"<h3>{escape(log.log)}</h3>"
    hidden = (
        f" ({log.hidden:,} of them known by their hashes and the sums of their days)" if log.hidden else ""
    )
    facts = (
        ("Entries", f"{log.size:,}{hidden}"),
        ("From, to", f"{format_time(log.first)}, {format_time(log.last)}"),
        ("Under a signed head", f"{log.signed:,}"),
        ("Signed heads that hold", f"{log.heads:,}"),
        ("Keys of days", f"{log.keys:,}"),
        ("Heads cosigned by the vendor", f"{log.witnessed:,}"),
        ("Installation", f"<code>{escape(log.instance)}</code>"),
        ("Trust root it named", f"<code>{escape(log.root)}</code>"),
    )
    yield "<dl>" + "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in facts) + "</dl>"
    if not log.licenses:
        return
    yield (
        f'{_OPEN}<thead><tr><th>In force since</th><th>Licence</th><th class="n">Serial</th><th>Customer</th>'
        '<th>Expires</th><th class="n">Entry</th></tr></thead><tbody>'
    )
    for period in log.licenses:
        expires = "not verified" if period.expires is None else format_time(period.expires)
        yield (
            f"<tr><td>{format_time(period.since)}</td><td><code>{escape(period.id)}</code></td>"
            f'<td class="n">{period.serial}</td><td>{escape(period.customer or "")}</td><td>{expires}</td>'
            f'<td class="n">{period.index:,}</td></tr>'
        )
    yield f"</tbody>{_CLOSE}"


def _basis(subject: str, sha256: str, roots: TrustRoots, tool: str) -> Iterator[str]:
    yield "<h2>What this rests on</h2><dl>"
    if tool:
        yield f"<dt>Verified by</dt><dd>{escape(tool)}</dd>"
    yield f"<dt>Verified</dt><dd>{escape(subject)}</dd>"
    if sha256:
        yield f"<dt>SHA-256</dt><dd><code>{sha256}</code></dd>"
    for root in roots:
        yield f"<dt>Trusted root</dt><dd><code>{escape(root.vkey)}</code></dd>"
    yield "</dl>"
