"""What the authoring API does: projects, trainings, models, deployments and exports of this box."""

import asyncio
import importlib.util
import json
import os
import shutil
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, Final, Protocol

from sqlmodel import Session, select

from appliance.authoring.documents import ProjectDocuments
from appliance.authoring.jobs import AuthoringJobs, JobFailed
from appliance.authoring.project_object import labelled_file_object
from appliance.authoring.retraining import Terms, check_label, replaced, sent_before
from appliance.authoring.store import AuthoringStore
from appliance.authoring.tables import DeploymentRow, ExportRow, JobRow, ModelRow, ProjectRow
from appliance.authoring.training_process import RESULTS, run_training
from appliance.config.settings import Settings
from appliance.datasets.project_file import ProjectFile
from appliance.errors import MissingExtra, ModelError, SettingsError, UnknownDeployment
from appliance.ner.model_folder import stated_languages
from appliance.pipeline.deployments import Deployment, Deployments
from appliance.pipeline.resident_models import ServedModel
from appliance.request_ids import uuid7
from appliance.training.model_writer import EVALUATION

VERSIONS: Final = {"fast": "fast", "best": "best", "auto": "auto", "latest": "fast", "2022-05-01": "fast"}
"""Training configurations by name, and the quality each stands for."""

PRIVATE: Final = frozenset({EVALUATION, RESULTS})
"""Files of a model folder that quote the test documents; they are never exported."""


class Publisher(Protocol):
    """Puts deployed models where other replicas look for them; blocks, and raises `ModelError`."""

    def put(self, folder: Path, project: str, name: str, private: Collection[str]) -> None:
        """Copy a model folder there, but for some files, in the place of one of that name."""
        ...

    def remove(self, project: str, name: str) -> None:
        """Take it away. No error if it is not there."""
        ...


class AuthoringService:
    """The parts behind the API; made by `open_authoring`.

    Args:
        store: Rows and folders.
        documents: Folder with one folder for each storage container.
        deployments: What is served; deployments of projects are added to it.
        load: Loads a model folder.
        clock: Unix seconds.
        publisher: Where deployments are put for other replicas; None for nowhere.
    """

    def __init__(
        self,
        store: AuthoringStore,
        *,
        documents: Path,
        deployments: Deployments,
        load: Callable[[Path], ServedModel],
        clock: Callable[[], float],
        publisher: Publisher | None = None,
    ) -> None:
        self.store = store
        self.jobs = AuthoringJobs(store, clock)
        self.clock = clock
        self.documents = ProjectDocuments(store, documents, clock)
        self._documents = documents
        self._deployments = deployments
        self._load = load
        self._publisher = publisher
        self._engines: dict[tuple[str, str], ServedModel] = {}
        self._training = asyncio.Lock()
        self._asking = asyncio.Lock()

    @property
    def engines(self) -> list[ServedModel]:
        """The models of deployed projects."""
        return list(self._engines.values())

    def serves(self, project: str, name: str) -> bool:
        """Whether a deployment of that name is served from here."""
        return (project, name) in self._engines

    async def resume(self) -> None:
        """Serve again what was deployed before the start; one that cannot be loaded is not served."""
        for project in await self.store.do(all_projects):
            for row in await self.store.of(DeploymentRow, project.name):
                await self._serve(row)

    async def close(self) -> None:
        """End jobs and models."""
        await self.jobs.close()
        for engine in self.engines:
            await asyncio.to_thread(engine.close)
        self.store.close()

    async def project(self, name: str) -> ProjectRow:
        """Return a project.

        Raises:
            UnknownDeployment: There is none of that name.
        """
        row = await self.store.get(ProjectRow, name)
        if row is None:
            raise UnknownDeployment("There is no project of that name.", hint="names are case-sensitive")
        return row

    async def save_project(self, name: str, changes: dict[str, Any]) -> tuple[ProjectRow, bool]:
        """Make or change a project; says whether it is new."""
        now = self.clock()
        row = await self.store.get(ProjectRow, name)
        new = row is None
        if row is None:
            row = ProjectRow(name=name, container="", language="en", created=now, modified=now)
        for key, value in changes.items():
            setattr(row, key, value)
        row.modified = now
        await self.store.put(row)
        return row, new

    async def import_project(self, name: str, file: ProjectFile) -> JobRow:
        """Import a project file, in place of a project of that name."""

        async def work(_: JobRow) -> None:
            metadata = file.metadata
            await self.save_project(
                name,
                {
                    "container": metadata.storageInputContainerName,
                    "language": metadata.language or "en",
                    "description": metadata.description or "",
                    "multilingual": bool(metadata.multilingual),
                    "settings": metadata.settings or {},
                    "assets": file.assets.model_dump(exclude_none=True),
                },
            )

        return await self.jobs.submit("import", name, work)

    async def delete_project(self, name: str) -> JobRow:
        """Delete a project with its models, deployments and exports."""

        async def work(_: JobRow) -> None:
            for deployed in await self.store.of(DeploymentRow, name):
                await self._withdraw(deployed)
            models = await self.store.of(ModelRow, name)
            exports = await self.store.of(ExportRow, name)
            await self.store.remove_project(name)
            for folder in [
                *map(self.folder, models),
                *(self.store.exports / export.id for export in exports),
            ]:
                await asyncio.to_thread(shutil.rmtree, folder, True)

        return await self.jobs.submit("deletion", "", work, target=name)

    def folder(self, model: ModelRow) -> Path:
        """Return the folder of a trained model."""
        return self.store.models / model.id

    async def languages(self, model: ModelRow) -> list[str]:
        """Return the languages a trained model was made for; none if its folder does not say."""
        try:
            return list(await asyncio.to_thread(stated_languages, self.folder(model)))
        except ModelError:
            return []

    async def newest_model(self, project: str) -> ModelRow | None:
        """Return the model that was trained last."""
        models = await self.store.of(ModelRow, project)
        return max(models, key=lambda model: model.trained, default=None)

    async def evaluation(self, model: ModelRow, name: str) -> Any:
        """Return a model's evaluation, or its results by document."""
        text = await asyncio.to_thread((self.folder(model) / name).read_text, "utf-8")
        return json.loads(text)

    async def train(
        self, project: ProjectRow, label: str, version: str, options: dict[str, Any], terms: Terms
    ) -> JobRow:
        """Train a model in a process of its own; trainings wait for each other.

        Raises:
            ModelLabelTaken: It would replace a model that `terms` does not know of.
        """
        async with self._asking:  # two who ask at once hear of each other too
            jobs = [self.jobs.live(row) for row in await self.store.of(JobRow, project.name)]
            if (same := sent_before(jobs, terms)) is not None:
                return same
            model = await self.store.get(ModelRow, project.name, label)
            check_label(label, jobs, model, terms)
            return await self._train(project, label, version, options, terms)

    async def _train(
        self, project: ProjectRow, label: str, version: str, options: dict[str, Any], terms: Terms
    ) -> JobRow:
        model_id = uuid7()
        out = self.store.models / model_id
        percentage = options.get("kind", "percentage") == "percentage"
        file, unlabelled = labelled_file_object(project)
        specification = {
            "project": file,
            "documents": str(self._documents / project.container),
            "out": str(out),
            "quality": VERSIONS[version],
            "release": label,
            "by_file": None if "kind" not in options else not percentage,
            "test_share": options.get("testingSplitPercentage", 20) / 100,
        }

        async def work(job: JobRow) -> None:
            async with self._training:
                await self._trained(
                    job,
                    specification,
                    ModelRow(
                        project=project.name,
                        label=label,
                        id=model_id,
                        version=version,
                        trained=0,
                        seconds=0,
                        options=options,
                    ),
                )

        told = {"version": version, "unlabelled": unlabelled, "by": terms.by, "request": terms.request}
        return await self.jobs.submit("train", project.name, work, target=label, **told)

    async def _trained(self, job: JobRow, specification: dict[str, Any], model: ModelRow) -> None:
        def progress(_step: str, share: float) -> None:
            job.outcome = {**job.outcome, "share": share}
            job.updated = self.clock()

        try:
            outcome = await run_training(specification, progress, os.environ)
        except BaseException:
            await asyncio.to_thread(shutil.rmtree, self.folder(model), True)
            raise
        if outcome.done is None:
            await asyncio.to_thread(shutil.rmtree, self.folder(model), True)
            raise JobFailed(*outcome.errors)
        job.outcome = {**job.outcome, "languages": outcome.done["languages"], "model": model.id}
        notes = [*_left_out(job.outcome["unlabelled"]), *outcome.done["notes"]]
        model.trained, model.seconds = self.clock(), float(outcome.done["seconds"])
        before = await self.store.get(ModelRow, model.project, model.label)
        if before is not None:
            notes.append(replaced(before, await self.store.of(JobRow, model.project)))
        job.warnings = [{"code": "Note", "message": note} for note in notes]
        project = await self.project(model.project)
        project.trained = model.trained
        await self.store.put(model, project)
        if before is not None and not await self._used(before):
            await asyncio.to_thread(shutil.rmtree, self.folder(before), True)

    async def _used(self, model: ModelRow) -> bool:
        return any(row.model == model.id for row in await self.store.of(DeploymentRow, model.project))

    async def remove_model(self, model: ModelRow) -> None:
        """Delete a trained model; what is deployed of it stays until it is deployed anew."""
        await self.store.remove(model)
        if not await self._used(model):
            await asyncio.to_thread(shutil.rmtree, self.folder(model), True)

    async def deploy(self, model: ModelRow, name: str) -> JobRow:
        """Serve a trained model under a name."""

        async def work(_: JobRow) -> None:
            await self._deployed(model, name)

        return await self.jobs.submit("deployment", model.project, work, target=name)

    async def _deployed(self, model: ModelRow, name: str) -> None:
        now = self.clock()
        row = DeploymentRow(project=model.project, name=name, label=model.label, model=model.id, deployed=now)
        if not await self._serve(row, strict=True):
            return
        project = await self.project(model.project)
        project.deployed = now
        await self.store.put(row, project)
        await self._publish(row)

    async def swap(self, first: DeploymentRow, second: DeploymentRow) -> JobRow:
        """Let two deployments of a project change their models."""

        async def work(_: JobRow) -> None:
            now = self.clock()
            changed = [
                DeploymentRow(
                    project=row.project, name=row.name, label=other.label, model=other.model, deployed=now
                )
                for row, other in ((first, second), (second, first))
            ]
            await self.store.put(*changed)
            for row in changed:
                await self._serve(row, strict=True)
                await self._publish(row)

        return await self.jobs.submit("swap", first.project, work)

    async def withdraw(self, row: DeploymentRow) -> JobRow:
        """Serve a deployment no longer."""

        async def work(_: JobRow) -> None:
            await self._withdraw(row)
            await self.store.remove(row)

        return await self.jobs.submit("deployment", row.project, work, target=row.name)

    async def _publish(self, row: DeploymentRow) -> None:
        """Put a deployed model where other replicas look, without what quotes the test documents."""
        if self._publisher is not None:
            folder = self.store.models / row.model
            await asyncio.to_thread(self._publisher.put, folder, row.project, row.name, PRIVATE)

    async def _withdraw(self, row: DeploymentRow) -> None:
        if self._publisher is not None:
            await asyncio.to_thread(self._publisher.remove, row.project, row.name)
        self._deployments.drop(row.project, row.name)
        engine = self._engines.pop((row.project, row.name), None)
        if engine is not None:
            await asyncio.to_thread(engine.close)

    async def _serve(self, row: DeploymentRow, *, strict: bool = False) -> bool:
        try:
            engine = await asyncio.to_thread(self._load, self.store.models / row.model)
        except ModelError as error:
            if not strict:
                return False
            told = error.message.replace(str(self.store.models / row.model), f"the model {row.label}")
            raise ModelError(told, hint="train it again, then deploy it") from None
        except Exception:
            if strict:
                raise
            return False
        folder = engine.folder
        before = self._engines.get((row.project, row.name))
        self._engines[row.project, row.name] = engine
        self._deployments.put(
            Deployment(
                project=row.project,
                name=row.name,
                model=folder.name,
                release=folder.release,
                recognizer=engine,
                language=folder.language,
                languages=folder.made_for,
                description=folder.description,
                categories=folder.categories,
                path=folder.path,
            )
        )
        if before is not None:
            await asyncio.to_thread(before.close)
        return True

    async def export_model(self, model: ModelRow, name: str) -> JobRow:
        """Copy a trained model under a name, for the container start of this or another box."""

        async def work(_: JobRow) -> None:
            export_id = uuid7()
            target = self.store.exports / export_id
            ignore = shutil.ignore_patterns(*PRIVATE)
            await asyncio.to_thread(shutil.copytree, self.folder(model), target, ignore=ignore)
            before = await self.store.get(ExportRow, model.project, name)
            row = ExportRow(
                project=model.project,
                name=name,
                id=export_id,
                label=model.label,
                model=model.id,
                version=model.version,
                trained=model.trained,
                exported=self.clock(),
            )
            await self.store.put(row)
            if before is not None:
                await asyncio.to_thread(shutil.rmtree, self.store.exports / before.id, True)

        return await self.jobs.submit("exported-model", model.project, work, target=name)

    async def remove_export(self, row: ExportRow) -> JobRow:
        """Delete an exported model."""

        async def work(_: JobRow) -> None:
            await self.store.remove(row)
            await asyncio.to_thread(shutil.rmtree, self.store.exports / row.id, True)

        return await self.jobs.submit("exported-model", row.project, work, target=row.name)


def _left_out(count: int) -> list[str]:
    if not count:
        return []
    told = "1 document is" if count == 1 else f"{count} documents are"
    return [f"{told} not labelled yet and left out; a document that holds no entity needs an empty region"]


def open_authoring(
    settings: Settings,
    *,
    state: Path,
    deployments: Deployments,
    load: Callable[[Path], ServedModel],
    clock: Callable[[], float],
    publisher: Publisher | None = None,
) -> AuthoringService | None:
    """Return the service if the settings ask for it.

    Raises:
        SettingsError: Nothing controls who may use it, or its store cannot be opened.
        MissingExtra: The library that training needs is not installed.
    """
    if not settings.authoring_enabled:
        return None
    if not settings.controls_access:
        raise SettingsError(
            "Authoring:Enabled needs access control: whoever can reach the port could replace the models.",
            hint="add ApiKeys:NAME=$(openssl rand -hex 16), or Tls:ClientAuthority",
        )
    if importlib.util.find_spec("onnx") is None:
        raise MissingExtra(
            "Authoring:Enabled needs onnx, which is not in this installation",
            hint="use the image offline-appliance/authoring, or an installation of the bundle",
        )
    store = AuthoringStore(state / "authoring")
    try:
        store.begin(clock())
    except BaseException:
        store.close()
        raise
    documents = settings.authoring_documents or store.directory / "documents"
    return AuthoringService(
        store, documents=documents, deployments=deployments, load=load, clock=clock, publisher=publisher
    )


def all_projects(session: Session) -> list[ProjectRow]:
    """Return every project, by name."""
    return list(session.exec(select(ProjectRow).order_by(ProjectRow.name)).all())
