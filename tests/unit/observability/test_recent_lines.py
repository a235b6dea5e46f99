"""The lines that the operators' page shows: the last ones, bounded, without messages of exceptions."""

import logging

from appliance.observability.recent_lines import LINES, RecentLines

SECRET = "Ms Doe has the flu"


def record(message: str, *arguments: object, error: BaseException | None = None) -> logging.LogRecord:
    raised = None if error is None else (type(error), error, error.__traceback__)
    return logging.LogRecord("appliance.x", logging.WARNING, "f.py", 1, message, arguments, raised)


def test_only_the_last_lines_are_kept_in_order() -> None:
    recent = RecentLines()
    for n in range(LINES + 50):
        recent.handle(record("line %d", n))
    assert [line["message"] for line in recent.lines()] == [f"line {n}" for n in range(50, LINES + 50)]
    assert recent.lines()[0].keys() == {"timestamp", "level", "category", "message"}


def test_an_exception_is_shown_by_type_and_place_and_not_by_what_it_said() -> None:
    recent = RecentLines()
    try:
        raise ValueError(SECRET)
    except ValueError as error:
        recent.handle(record("it failed", error=error))
    (line,) = recent.lines()
    assert "builtins.ValueError" in line["exception"]
    assert SECRET not in str(line)


def test_a_line_is_cut_and_one_that_cannot_be_formatted_stops_nobody() -> None:
    recent = RecentLines()
    recent.handle(record("%s", "x" * 10_000))
    assert len(recent.lines()[0]["message"]) == 2_000
    before, logging.raiseExceptions = logging.raiseExceptions, False
    try:
        recent.handle(record("%d", "no number"))
    finally:
        logging.raiseExceptions = before
    assert len(recent.lines()) == 1
