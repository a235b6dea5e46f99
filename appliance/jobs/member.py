"""An installation among those that share its jobs, and what it learns of who holds them."""

from dataclasses import dataclass

from appliance.jobs.job import Job


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """An installation as the others of its fleet know it.

    Attributes:
        instance: Its name.
        group: What rows of its fleet are marked with; its own name where it is alone.
        lapse: Seconds after its last sign of life in which others leave its jobs alone.
    """

    instance: str
    group: str
    lapse: float

    @property
    def alone(self) -> bool:
        """Whether nobody else uses its rows."""
        return self.group == self.instance


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What became of jobs that an installation believes it holds: those that it does, and what to end."""

    ids: frozenset[str]
    cancelled: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """A job that nobody holds now.

    Attributes:
        job: Without its documents.
        own: Whether this installation held it last.
        undecided: Tasks whose usage another installation began to record, without an outcome yet: the
            seconds since then, by the tasks' ids.
    """

    job: Job
    own: bool
    undecided: dict[str, float]
