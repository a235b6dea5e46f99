"""Options that name what a command writes: looked at before the work, so that the last step does not fail."""

from __future__ import annotations

import os
from pathlib import Path

import click

from license.files import file_problem, folder_problem


class OutputFile(click.ParamType[Path]):
    """A file to be written: a new one, or a regular file to be replaced.

    Args:
        dash: Whether `-` stands for standard output.
    """

    name = "file"

    def __init__(self, *, dash: bool = False) -> None:
        self._dash = dash

    def convert(
        self, value: str | os.PathLike[str], param: click.Parameter | None, ctx: click.Context | None
    ) -> Path:
        """Read the path, or fail as click does."""
        path = Path(value)
        if str(path) == "-":
            return path if self._dash else self.fail("`-` has no meaning here: name a file", param, ctx)
        problem = file_problem(path)
        return path if problem is None else self.fail(problem, param, ctx)


class OutputFolder(click.ParamType[Path]):
    """A folder to write into, made where there is none.

    Args:
        new: Whether it must hold nothing yet.
        exists: Whether it must be there.
        dash: Whether `-` stands for standard output.
    """

    name = "directory"

    def __init__(self, *, new: bool = False, exists: bool = False, dash: bool = False) -> None:
        self._new = new
        self._exists = exists
        self._dash = dash

    def convert(
        self, value: str | os.PathLike[str], param: click.Parameter | None, ctx: click.Context | None
    ) -> Path:
        """Read the path, or fail as click does."""
        path = Path(value)
        if self._dash and str(path) == "-":
            return path
        if self._exists and not path.exists():
            return self.fail(f"there is no directory {path}", param, ctx)
        problem = folder_problem(path, new=self._new)
        return path if problem is None else self.fail(problem, param, ctx)
