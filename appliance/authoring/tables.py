"""The tables of the authoring store. Texts of documents are not in them: those stay in their own folder."""

from typing import Any

from sqlalchemy import JSON, Float, MetaData, Text
from sqlmodel import Field, SQLModel


class AuthoringTable(SQLModel):
    """Base of the tables; their own metadata keeps other databases of this software out."""

    metadata = MetaData()


class ProjectRow(AuthoringTable, table=True):
    """One project: what the project file says, and when it changed. Times are Unix seconds."""

    __tablename__ = "project"

    name: str = Field(primary_key=True, max_length=50)
    container: str = Field(sa_type=Text)
    language: str = Field(max_length=64)
    description: str = Field(default="", sa_type=Text)
    multilingual: bool = False
    settings: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    assets: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    created: float = Field(sa_type=Float)
    modified: float = Field(sa_type=Float)
    trained: float | None = Field(default=None, sa_type=Float)
    deployed: float | None = Field(default=None, sa_type=Float)


class AnnotationRow(AuthoringTable, table=True):
    """One person's labels of one document, beside those of the project; offsets are UTF-16 code units."""

    __tablename__ = "annotation"

    project: str = Field(primary_key=True, max_length=50)
    person: str = Field(primary_key=True, max_length=50)
    location: str = Field(primary_key=True, max_length=1024)
    labels: list[dict[str, Any]] = Field(default_factory=list, sa_type=JSON)
    seen: bool = False
    updated: float = Field(sa_type=Float)


class JobRow(AuthoringTable, table=True):
    """One job of a project; `kind` is the word in its path, `outcome` what it left."""

    __tablename__ = "authoring_job"

    id: str = Field(primary_key=True, max_length=36)
    project: str = Field(max_length=50, index=True)
    kind: str = Field(max_length=20)
    target: str = Field(default="", max_length=50)
    status: str = Field(default="notStarted", max_length=20)
    created: float = Field(sa_type=Float)
    updated: float = Field(sa_type=Float)
    errors: list[dict[str, Any]] = Field(default_factory=list, sa_type=JSON)
    warnings: list[dict[str, Any]] = Field(default_factory=list, sa_type=JSON)
    outcome: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)


class ModelRow(AuthoringTable, table=True):
    """One trained model; its folder is named after `id`."""

    __tablename__ = "model"

    project: str = Field(primary_key=True, max_length=50)
    label: str = Field(primary_key=True, max_length=50)
    id: str = Field(max_length=36)
    version: str = Field(max_length=50)
    trained: float = Field(sa_type=Float)
    seconds: float = Field(sa_type=Float)
    options: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)


class DeploymentRow(AuthoringTable, table=True):
    """One deployment: a model under the name that callers use."""

    __tablename__ = "deployment"

    project: str = Field(primary_key=True, max_length=50)
    name: str = Field(primary_key=True, max_length=50)
    label: str = Field(max_length=50)
    model: str = Field(max_length=36)
    deployed: float = Field(sa_type=Float)


class ExportRow(AuthoringTable, table=True):
    """One exported model: a copy of a model folder, named after `id`."""

    __tablename__ = "exported_model"

    project: str = Field(primary_key=True, max_length=50)
    name: str = Field(primary_key=True, max_length=50)
    id: str = Field(max_length=36)
    label: str = Field(max_length=50)
    model: str = Field(max_length=36)
    version: str = Field(max_length=50)
    trained: float = Field(sa_type=Float)
    exported: float = Field(sa_type=Float)
