"""The report of a check as one page: no script, nothing loaded from elsewhere."""

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import Final

from appliance.datasets.check.check import said
from appliance.datasets.check.report import CheckReport, Finding
from license.evidence.render.style import STYLE

_VERDICTS: Final = (
    ("Ready for training", "Nothing hinders training, and nothing weakens it that could be counted."),
    ("Ready, with notes", "Nothing hinders training. The findings below may cost quality."),
    (
        "Training is hindered",
        "Correct the first findings: training refuses them, or its score would say nothing.",
    ),
)


def page(report: CheckReport, name: str, listed: int) -> str:
    """Return the page.

    Args:
        report: What was found.
        name: What the documents are called.
        listed: Rows of a table at most.
    """
    grade = 2 if report.hindered else 1 if report.findings else 0
    body = "\n".join(_body(report, name, grade, listed))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "style-src 'unsafe-inline'\">\n"
        f"<title>Labelled text: {_VERDICTS[grade][0]}</title>\n"
        f"<style>{STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def _body(report: CheckReport, name: str, grade: int, listed: int) -> Iterator[str]:
    title, sentence = _VERDICTS[grade]
    yield f"<header><h1>Labelled text</h1><p>{_safe(name)}</p></header>"
    yield f'<div class="verdict v{grade}" role="status"><b>{title}</b>{sentence}</div>'
    yield from _facts(report)
    yield "<h2>Findings</h2>"
    if report.findings:
        yield from _table(("", "What", "What to do"), map(_finding, report.findings))
    else:
        yield "<p>None.</p>"
    yield "<h2>Categories</h2>"
    by_count = sorted(report.categories.items(), key=lambda item: (-item[1].labels, item[0]))
    yield from _table(
        ("Category", "#Labels", "#Documents", "#Training", "#Test"),
        (
            [_text(name), *map(_number, (one.labels, one.documents, one.train, one.test))]
            for name, one in by_count
        ),
    )
    yield "<h2>Languages</h2>"
    yield from _table(
        ("Language", "#Documents", "#Unknown tokens", "#Pieces a word"),
        (
            [
                _text(name or "none named"),
                _number(one.documents),
                _cell(f"{one.unknown_share:.1%}", "n"),
                _cell(f"{one.pieces:.2f}", "n"),
            ]
            for name, one in report.languages.items()
        ),
    )
    yield from _lists(report, listed)


def _facts(report: CheckReport) -> Iterator[str]:
    facts = (
        ("Documents", f"{report.documents:,}"),
        ("Words", f"{report.words:,}"),
        ("Labels", f"{report.labels:,}"),
        ("Training, test", f"{report.train:,}, {report.test:,} ({report.split or 'they cannot be split'})"),
        ("Windows", f"{report.windows:,} of {report.window_tokens} tokens"),
        ("Documents of more than one window", f"{report.long:,}"),
        ("Longest", "; ".join(f"{name} ({words:,} words)" for name, words in report.longest)),
    )
    yield "<dl>" + "".join(f"<dt>{name}</dt><dd>{_safe(value)}</dd>" for name, value in facts) + "</dl>"


def _finding(finding: Finding) -> list[str]:
    word, css = ("hinders", "t2") if finding.hinders else ("note", "t1")
    shown = [*finding.examples, *([f"and {finding.more} more"] if finding.more else [])]
    examples = "".join(f'<br><span class="soft">{_safe(one)}</span>' for one in shown)
    return [
        f'<td class="t"><span class="tag {css}">{word}</span></td>',
        f"<td>{_safe(finding.message)}{examples}</td>",
        _text(finding.remedy),
    ]


def _lists(report: CheckReport, listed: int) -> Iterator[str]:
    for title, found in (
        ("Test documents that are learnt from", [[_text(name)] for name in report.leaked]),
        ("The same text", [[_text(", ".join(group))] for group in report.same]),
        ("Nearly the same text", [[_text(", ".join(group))] for group in report.near]),
        ("Labelled in several categories", [[_text(said(one))] for one in report.between]),
        ("Labelled here and not there", [[_text(said(one))] for one in report.missed]),
    ):
        if found:
            yield f"<h2>{title}</h2>"
            yield from _table((), found[:listed])
            if len(found) > listed:
                yield f"<p>{len(found) - listed:,} more are not shown.</p>"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield a table; a head that begins with # stands over numbers."""
    yield '<div class="wide" tabindex="0"><table>'
    if heads:
        cells = [
            f'<th class="n">{head[1:]}</th>' if head[:1] == "#" else f"<th>{head}</th>" for head in heads
        ]
        yield f"<thead><tr>{''.join(cells)}</tr></thead>"
    yield "<tbody>"
    for row in rows:
        yield f"<tr>{''.join(row)}</tr>"
    yield "</tbody></table></div>"


def _text(text: str) -> str:
    return _cell(text, "")


def _number(number: int) -> str:
    return _cell(f"{number:,}", "n")


def _cell(text: str, css: str) -> str:
    return f'<td class="{css}">{_safe(text)}</td>' if css else f"<td>{_safe(text)}</td>"


def _safe(text: str) -> str:
    """Return text for a page: escaped, and without halves of surrogate pairs."""
    return escape(text.encode("utf-8", "replace").decode("utf-8"))
