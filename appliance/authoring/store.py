"""Where authoring keeps what it knows: `authoring/authoring.db` and model folders in the state directory."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from sqlalchemy import Engine, create_engine, delete, event
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session, col, select

from appliance.authoring.tables import (
    AnnotationRow,
    AuthoringTable,
    DeploymentRow,
    ExportRow,
    JobRow,
    ModelRow,
    ProjectRow,
)
from appliance.errors import JobStoreUnavailable, SettingsError

JOB_SECONDS: Final = 7 * 86_400
_Row = TypeVar("_Row", bound=AuthoringTable)
_T = TypeVar("_T")


class AuthoringStore:
    """Rows in SQLite; each call is one transaction on a thread, one at a time.

    Args:
        directory: `authoring` in the state directory; made where it is missing.

    Raises:
        SettingsError: It cannot be made or opened.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._lock = threading.Lock()
        try:
            for folder in (directory, self.models, self.exports):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            path = directory / "authoring.db"
            path.touch(mode=0o600)
            self._engine = _opened(path)
        except (OSError, SQLAlchemyError) as error:
            raise SettingsError(
                f"the authoring store in {directory} cannot be opened: {error}",
                hint="check the state directory, or serve without Authoring:Enabled",
            ) from error

    @property
    def models(self) -> Path:
        """Folder of the model folders, each named after a model's id."""
        return self.directory / "models"

    @property
    def exports(self) -> Path:
        """Folder of the exported copies."""
        return self.directory / "exports"

    async def do(self, work: Callable[[Session], _T]) -> _T:
        """Run one transaction.

        Raises:
            JobStoreUnavailable: The database does not do what it should.
        """
        return await asyncio.to_thread(self.do_now, work)

    def do_now(self, work: Callable[[Session], _T]) -> _T:
        """Run one transaction on the calling thread; see `do`."""
        try:
            with self._lock, Session(self._engine, expire_on_commit=False) as session:
                result = work(session)
                session.commit()
                return result
        except SQLAlchemyError as error:
            raise JobStoreUnavailable(
                "the authoring store failed", hint="have the operator check free space in the state directory"
            ) from error

    async def get(self, kind: type[_Row], *key: str) -> _Row | None:
        """Return the row of that key."""
        identity: Any = key if len(key) > 1 else key[0]
        return await self.do(lambda session: session.get(kind, identity))

    async def of(self, kind: type[_Row], project: str) -> Sequence[_Row]:
        """Return the rows of a project, by their keys."""
        column: Any = kind.__table__.c.project  # type: ignore[attr-defined]
        return await self.do(lambda session: session.exec(select(kind).where(column == project)).all())

    async def put(self, *rows: AuthoringTable) -> None:
        """Insert or replace rows."""

        def work(session: Session) -> None:
            for row in rows:
                session.merge(row)

        await self.do(work)

    async def remove(self, row: AuthoringTable) -> None:
        """Delete a row."""
        await self.do(lambda session: session.delete(row))

    async def remove_project(self, name: str) -> None:
        """Delete a project with all that belongs to it, but its deletion job."""

        def work(session: Session) -> None:
            session.execute(delete(JobRow).where(col(JobRow.project) == name))
            session.execute(delete(AnnotationRow).where(col(AnnotationRow.project) == name))
            session.execute(delete(ModelRow).where(col(ModelRow.project) == name))
            session.execute(delete(DeploymentRow).where(col(DeploymentRow.project) == name))
            session.execute(delete(ExportRow).where(col(ExportRow.project) == name))
            session.execute(delete(ProjectRow).where(col(ProjectRow.name) == name))

        await self.do(work)

    def begin(self, now: float) -> None:
        """Forget expired jobs, and end those that a stop interrupted."""

        def work(session: Session) -> None:
            session.execute(delete(JobRow).where(col(JobRow.created) < now - JOB_SECONDS))
            for job in session.exec(select(JobRow)).all():
                if job.status in ("notStarted", "running", "cancelling"):
                    cancelled = job.status == "cancelling"
                    job.status = "cancelled" if cancelled else "failed"
                    job.errors = [] if cancelled else [_INTERRUPTED]
                    job.updated = now
                    session.add(job)

        self.do_now(work)

    def close(self) -> None:
        """Close the database."""
        self._engine.dispose()


_INTERRUPTED: Final = {
    "code": "InternalServerError",
    "message": "The service was stopped before the job had ended; start it again.",
}


def _opened(path: Path) -> Engine:
    engine = create_engine(f"sqlite:///{path}", connect_args={"check_same_thread": False, "timeout": 10})
    event.listen(engine, "connect", _make_durable)
    try:
        AuthoringTable.metadata.create_all(engine)
    except BaseException:
        engine.dispose()
        raise
    return engine


def _make_durable(connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
