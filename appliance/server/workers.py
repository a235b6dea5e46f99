"""What each of several workers of one host is: settings, directories and cores of its own, one port for all.

    worker 1     the installation as it is: its keys, its ledger
    worker N     `worker-N` beside those keys; a ledger of its own below the same output
    all          one licence directory, one port, one database of jobs

So a site that had one process keeps what it has when it starts several.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from appliance.config.settings import Settings
from appliance.config.state_place import StatePlace
from appliance.errors import SettingsError
from appliance.host.cpus import usable_cores
from license.licenses.license import License

FLEET: Final = "workers"
JOBS_FILE: Final = "jobs.db"


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """One of several processes.

    Attributes:
        number: From 1.
        settings: Its settings.
        place: Where its keys and state lie.
        cores: Processors that it runs on.
    """

    number: int
    settings: Settings
    place: StatePlace
    cores: frozenset[int]


def plan_workers(settings: Settings, place: StatePlace) -> list[Worker]:
    """Say what each worker is.

    Args:
        settings: Start parameters; `workers` is how many.
        place: Where keys and state of the installation lie.

    Raises:
        SettingsError: They cannot be several.
    """
    count = settings.workers
    if settings.authoring_enabled:
        raise SettingsError(
            f"Workers={count} and Authoring:Enabled exclude each other: projects lie in one process",
            hint="train in a service of its own, with Workers=1, and serve what it deploys from here",
        )
    if settings.jobs_database and not settings.jobs_fleet:
        raise SettingsError(
            f"Workers={count} with Jobs:Database needs the name under which the workers share their jobs",
            hint="add Jobs:Fleet=NAME, the same on each host that shares the database",
        )
    shared = replace(
        settings,
        jobs_database=settings.jobs_database or f"sqlite:///{place.ledgers or place.keys}/{JOBS_FILE}",
        jobs_fleet=settings.jobs_fleet or FLEET,
    )
    cores = share_out(sorted(os.sched_getaffinity(0)), count, usable=usable_cores())
    return [
        Worker(
            number=number,
            settings=replace(
                shared,
                worker=number,
                state_mount=None if settings.state_mount is None else _place(place, number).keys,
            ),
            place=_place(place, number),
            cores=cores[number - 1],
        )
        for number in range(1, count + 1)
    ]


def share_out(cores: Sequence[int], count: int, *, usable: int) -> list[frozenset[int]]:
    """Divide processors among workers, neighbours together; some share one where there are too few.

    Args:
        cores: Those that this process may run on.
        count: Workers.
        usable: How many may compute at once; fewer where a control group grants time and not cores.
    """
    if count >= usable:
        return [frozenset({cores[number % usable]}) for number in range(count)]
    least, more = divmod(usable, count)
    shares, first = [], 0
    for number in range(count):
        size = least + (number < more)
        shares.append(frozenset(cores[first : first + size]))
        first += size
    return shares


def check_workers(settings: Settings, license: License) -> None:
    """Refuse several workers where the licence would be overrun by them, or does not allow their logs.

    Raises:
        SettingsError: It is so.
    """
    count = settings.workers
    if not settings.worker or count == 1:
        return
    if license.plan.overage == "block" and license.plan.meters and license.desk is None:
        raise SettingsError(
            f"Workers={count} needs a plan that records: each worker counts by itself, and together they "
            f"would use up to {count} times what this plan, which blocks, includes",
            hint="use Workers=1, a plan with overage `record`, or the desk of a site (docs/site.md)",
        )
    if not settings.connected and count > license.instance.max_logs:
        raise SettingsError(
            f"Workers={count} write {count} usage logs, and the licence allows {license.instance.max_logs}",
            hint=f"use Workers={license.instance.max_logs}, or ask the vendor for a licence with more logs "
            f"(license issue --max-logs {count})",
        )


def _place(place: StatePlace, number: int) -> StatePlace:
    return place if number == 1 else replace(place, keys=place.keys / f"worker-{number}")
