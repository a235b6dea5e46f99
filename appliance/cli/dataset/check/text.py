"""The report of a check as lines for a person."""

from collections.abc import Iterator

from appliance.datasets.check.report import CheckReport, Finding
from appliance.datasets.conversion_report import counts


def text_lines(report: CheckReport) -> Iterator[str]:
    """Yield the lines."""
    held = f"{counts(report.documents, 'document')}, {counts(report.labels, 'label')}"
    yield f"{held}, {counts(len(report.categories), 'category')}: no mistake"
    yield (
        f"{report.words:,} words; {counts(report.long, 'document')} of more than one window of"
        f" {report.window_tokens} tokens ({report.windows:,} windows)"
    )
    if report.split:
        yield f"{counts(report.train, 'document')} to learn from, {report.test} for the test ({report.split})"
    yield ""
    yield from _categories(report)
    yield ""
    yield from _languages(report)
    if report.findings:
        yield ""
    for finding in report.findings:
        yield from _finding(finding)


def _categories(report: CheckReport) -> Iterator[str]:
    width = max([8, *(len(name) for name in report.categories)])
    yield f"{'category':{width}}  labels  documents  train   test"
    for name, one in sorted(report.categories.items(), key=lambda item: (-item[1].labels, item[0])):
        yield f"{name:{width}}  {one.labels:6}  {one.documents:9}  {one.train:5}  {one.test:5}"


def _languages(report: CheckReport) -> Iterator[str]:
    for name, one in report.languages.items():
        yield (
            f"language {name or '(none named)'}: {counts(one.documents, 'document')},"
            f" {one.unknown_share:.1%} of the tokens unknown, {one.pieces:.2f} pieces a word"
        )


def _finding(finding: Finding) -> Iterator[str]:
    yield f"{'hinders' if finding.hinders else 'note'}: {finding.message}; {finding.remedy}"
    for one in finding.examples:
        yield f"  {one}"
    if finding.more:
        yield f"  and {finding.more} more"
