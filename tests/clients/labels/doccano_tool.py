"""Run with doccano in the path: writes its two JSONL shapes with its own exporter, over a database in memory.

`doccano_tool.py FOLDER` writes spans.jsonl and relations.jsonl. Of doccano only the rooms of the export are
loaded; the one for uploads, which the models of examples name a class of, is stood in for.
"""

import sys
from pathlib import Path
from types import ModuleType

import backend
import django
from django.conf import settings

ROOMS = ["projects", "examples", "labels", "label_types", "roles", "data_export"]
TEXT = "👩🏽‍🔬 Anna Lee works at Acme Corp.\r\nאנה lives in 東京, ok."
LABELS = [("PER", "Anna Lee"), ("ORG", "Acme Corp"), ("PER", "אנה"), ("LOC", "東京")]


def begin() -> None:
    sys.path.append(next(iter(backend.__path__)))
    uploads = ModuleType("django_drf_filepond.models")
    uploads.DrfFilePondStoredStorage = object  # type: ignore[attr-defined]
    sys.modules[uploads.__name__] = uploads
    sys.modules["django_drf_filepond"] = ModuleType("django_drf_filepond")
    settings.configure(
        INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "polymorphic", *ROOMS],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
        MIGRATION_MODULES=dict.fromkeys(ROOMS),
        USE_TZ=True,
    )
    django.setup()
    from django.core.management import call_command

    call_command("migrate", run_syncdb=True, verbosity=0)


def project(kind: str, **more: object) -> object:
    from django.contrib.auth.models import User
    from examples.models import Example
    from label_types.models import RelationType, SpanType
    from labels.models import Relation, Span
    from projects.models import SequenceLabelingProject

    user, _ = User.objects.get_or_create(username="anna")
    made = SequenceLabelingProject.objects.create(
        name=kind, description="", created_by=user, project_type="SequenceLabeling", **more
    )
    example = Example.objects.create(project=made, text=TEXT, meta={"origin": "test"})
    Example.objects.create(project=made, text="no names here", meta={})
    spans = []
    for category, words in LABELS:
        label, _ = SpanType.objects.get_or_create(project=made, text=category)
        start = TEXT.index(words)
        spans.append(
            Span.objects.create(
                example=example, user=user, label=label, start_offset=start, end_offset=start + len(words)
            )
        )
    if more:
        tie = RelationType.objects.create(project=made, text="works for")
        Relation.objects.create(example=example, user=user, from_id=spans[0], to_id=spans[1], type=tie)
    return made


def main(folder: str) -> None:
    begin()
    from data_export.models import ExportedExample
    from data_export.pipeline.dataset import Dataset
    from data_export.pipeline.factories import create_comment, create_formatter, create_labels, create_writer
    from data_export.pipeline.services import ExportApplicationService

    for name, more in (("spans", {}), ("relations", {"use_relation": True})):
        made = project(name, **more)
        examples = ExportedExample.objects.filter(project=made)
        dataset = Dataset(examples, create_labels(made, examples), create_comment(examples), True)
        service = ExportApplicationService(dataset, create_formatter(made, "JSONL"), create_writer("JSONL"))
        service.export(str(Path(folder) / f"{name}.jsonl"))


main(*sys.argv[1:])
