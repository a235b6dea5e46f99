"""The tree is as docs/architecture.md promises: small rooms, small files, and a test file for each module.

A module without a test file of its own is listed in `TESTED_ELSEWHERE` with the test that covers it.
"""

import ast
import re
import subprocess
from collections import defaultdict
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from statistics import median

import pytest

from tests.support.paths import ROOT

CONVENTIONS = {"__init__.py", "errors.py", "openapi.py", "parameters.py", "requests.py", "responses.py"} | {
    "results.py",
    "routes.py",
}
"""File names that each room of an API has."""

COMMANDS = ("appliance/cli/", "license/authority/cli/")
"""Files here bear the name of their command."""

TESTED_ELSEWHERE = {
    # Edge: real requests to a real service.
    "appliance/ner/text_request.py": "tests/unit/ner/components/test_matcher.py",
    "appliance/api/admin/*": "tests/e2e/admin/test_admin.py",
    "appliance/api/authentication.py": "tests/e2e/test_access.py",
    "appliance/api/docs/routes.py": "tests/e2e/test_documentation.py",
    "appliance/api/authoring/*": "tests/e2e/authoring/test_authoring.py",
    "appliance/api/language/legacy_*": "tests/e2e/test_legacy_api.py",
    "appliance/api/language/openapi.py": "tests/e2e/test_documents.py",
    "appliance/api/language/*": "tests/e2e/test_language_api.py",
    "appliance/api/openapi*": "tests/e2e/test_documents.py",
    "appliance/api/operations/*": "tests/e2e/test_licence_life.py",
    "appliance/api/speech/short_audio.py": "tests/e2e/speech/test_rest.py",
    "appliance/api/speech/transcription.py": "tests/e2e/speech/test_rest.py",
    "appliance/api/speech/multipart.py": "tests/e2e/speech/test_rest.py",
    "appliance/api/speech/*": "tests/e2e/speech/test_wire.py",
    "appliance/api/*": "tests/e2e/test_language_api.py",
    "appliance/server/desk.py": "tests/attacks/site/test_hostile_connections.py",
    "appliance/server/tls.py": "tests/e2e/test_access.py",
    "appliance/server/supervisor.py": "tests/e2e/fleet/test_workers.py",
    "appliance/server/*": "tests/e2e/test_load.py",
    "appliance/services/speech.py": "tests/e2e/speech/test_wire.py",
    "appliance/services/publisher.py": "tests/e2e/authoring/test_publishing.py",
    "appliance/services/live_models.py": "tests/e2e/fleet/test_live_models.py",
    "appliance/services/*": "tests/e2e/test_language_api.py",
    "appliance/authoring/*": "tests/e2e/authoring/test_authoring.py",
    # Commands: typed into a process.
    "appliance/cli/speech/transcribe*": "tests/integration/transcribing/test_command.py",
    "appliance/transcribing/*": "tests/integration/transcribing/test_command.py",
    "appliance/cli/demo/*": "tests/e2e/test_demo.py",
    "appliance/cli/health.py": "tests/system/container/test_image.py",
    "appliance/cli/license/container_text.py": "tests/system/container/test_text_lines.py",
    "appliance/cli/doctor.py": "tests/unit/doctor/test_examine.py",
    "appliance/cli/usage*": "tests/integration/evidence/test_commands.py",
    "appliance/cli/metering.py": "tests/integration/connected/test_preview.py",
    "appliance/cli/models/speech_*": "tests/e2e/speech/test_catalogue.py",
    "appliance/cli/license/*": "tests/unit/licensing/test_install.py",
    "appliance/cli/site/*": "tests/integration/site/test_commands.py",
    "appliance/cli/train.py": "tests/docs/test_custom_models_page.py",
    "appliance/cli/*": "tests/e2e/test_refusals.py",
    "license/authority/cli/ingest.py": "tests/integration/evidence/test_ingest.py",
    "license/authority/cli/*": "tests/unit/license/authority/cli/test_main.py",
    # Rooms whose tests go through their main module.
    "appliance/config/*": "tests/unit/config/test_settings.py",
    "appliance/datasets/*": "tests/unit/datasets/test_project.py",
    "appliance/doctor/billing_endpoint.py": "tests/integration/connected/test_diagnose.py",
    "appliance/doctor/*": "tests/unit/doctor/test_examine.py",
    "appliance/jobs/*": "tests/unit/jobs/test_store.py",
    "appliance/ledger/log/*": "tests/unit/ledger/test_ledger.py",
    "appliance/ledger/read/*": "tests/unit/ledger/read/test_reports.py",
    "appliance/ledger/transfer/re*": "tests/integration/evidence/test_retention.py",
    "appliance/ledger/transfer/*": "tests/integration/evidence/test_ingest.py",
    "appliance/licensing/*": "tests/e2e/test_licence_life.py",
    "appliance/metering/lease.py": "tests/integration/connected/test_lease.py",
    "appliance/metering/preview.py": "tests/integration/connected/test_preview.py",
    "appliance/metering/*": "tests/integration/connected/test_week.py",
    "appliance/site/*": "tests/integration/site/test_failures.py",
    "appliance/models/packages.py": "tests/e2e/test_packages.py",
    "appliance/models/*": "tests/unit/ner/test_model_folder.py",
    "appliance/ner/m*": "tests/unit/ner/test_model_folder.py",
    "appliance/observability/*": "tests/e2e/test_metrics.py",
    "appliance/onnx_tools/whisper/[dels]*": "tests/unit/onnx_tools/whisper/test_graphs.py",
    "appliance/onnx_tools/whisper/weights.py": "tests/unit/onnx_tools/whisper/test_graphs.py",
    "appliance/onnx_tools/quantization.py": "tests/unit/cli/models/test_commands.py",
    "appliance/pipeline/transcribing.py": "tests/e2e/speech/test_rest.py",
    "appliance/pipeline/*": "tests/unit/api/speech/test_turn.py",
    "appliance/registry/*": "tests/unit/registry/test_importer.py",
    "appliance/speech/acoustic/*": "tests/unit/speech/model/test_layout.py",
    "appliance/speech/audio/*": "tests/unit/speech/audio/test_reader.py",
    "appliance/speech/decoding/*": "tests/unit/speech/decoding/test_ctc.py",
    "appliance/speech/display/*": "tests/unit/speech/display/test_pipeline.py",
    "appliance/speech/evaluation/evaluate.py": "tests/unit/cli/speech/test_evaluate.py",
    "appliance/speech/model/*": "tests/unit/speech/model/test_layout.py",
    "appliance/speech/transcripts/*": "tests/e2e/speech/test_rest.py",
    "appliance/speech/recognition/*": "tests/unit/speech/model/test_layout.py",
    "appliance/training/*": "tests/unit/training/test_train.py",
    "appliance/errors.py": "tests/e2e/test_refusals.py",
    "appliance/request_ids.py": "tests/unit/observability/test_request_ids.py",
    "appliance/version.py": "tests/e2e/test_demo.py",
    "license/serving/*": "tests/unit/license/authority/http/test_app.py",
    "license/authority/billing/*": "tests/unit/license/authority/billing/test_bill.py",
    "license/authority/book/*": "tests/unit/license/authority/book/test_store.py",
    "license/authority/http/*": "tests/unit/license/authority/http/test_app.py",
    "license/authority/ingest.py": "tests/integration/evidence/test_ingest.py",
    "license/authority/issuing/*": "tests/unit/license/authority/test_authority.py",
    "license/authority/keys/*": "tests/unit/license/authority/keys/test_rotate.py",
    "license/authority/models/*": "tests/unit/license/authority/keys/test_model_lines.py",
    "license/client/*": "tests/unit/license/client/test_licenses.py",
    "license/evidence/bundle/*": "tests/unit/license/evidence/bundle/test_archive.py",
    "license/evidence/log/*": "tests/unit/license/evidence/log/test_proof.py",
    "license/evidence/render/*": "tests/unit/license/evidence/tool/test_zipapp.py",
    "license/evidence/tool/*": "tests/unit/license/evidence/tool/test_zipapp.py",
    "license/evidence/verify/*": "tests/unit/license/evidence/verify/test_verify.py",
    "license/licenses/*": "tests/unit/license/licenses/test_license.py",
    "license/models/*": "tests/unit/license/models/test_package.py",
    "license/text.py": "tests/unit/license/authority/cli/test_main.py",
    # Programs that need torch, the corpora and hours: docs/training.md says what they gave.
    "recipes/*": "docs/training.md",
}
"""By pattern, the first that fits: where the modules without a test file of their own are tested."""


def modules(*packages: str) -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", *packages],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    return [name for name in listed if name.endswith(".py") and (ROOT / name).exists()]


PRODUCT = modules("appliance", "license")


def lines(name: str) -> int:
    return len((ROOT / name).read_text("utf-8").splitlines())


def own_test(name: str) -> str:
    path = PurePosixPath(name)
    below = path.relative_to("appliance") if path.parts[0] == "appliance" else path
    return str(PurePosixPath("tests/unit", below.parent, f"test_{below.name}"))


@pytest.mark.parametrize("package", ["appliance", "license"])
def test_a_package_has_four_loose_modules_at_most(package: str) -> None:
    loose = [name for name in PRODUCT if PurePosixPath(name).parent == PurePosixPath(package)]
    assert len([name for name in loose if not name.endswith("__init__.py")]) <= 4


def test_a_folder_has_fifteen_modules_at_most() -> None:
    folders: dict[PurePosixPath, int] = defaultdict(int)
    for name in modules("appliance", "license", "recipes"):
        folders[PurePosixPath(name).parent] += not name.endswith("__init__.py")
    assert {str(folder): count for folder, count in folders.items() if count > 15} == {}


def test_files_are_short() -> None:
    sizes = {name: lines(name) for name in PRODUCT if not name.endswith("__init__.py")}
    assert {name: size for name, size in sizes.items() if size > 450} == {}
    assert median(sizes.values()) <= 130


def test_a_file_name_occurs_once_in_a_wing_unless_each_room_has_it() -> None:
    wings: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for name in PRODUCT:
        path = PurePosixPath(name)
        if path.name not in CONVENTIONS and not name.startswith(COMMANDS):
            wings[(*path.parts[:2], path.name)].append(name)
    assert [names for names in wings.values() if len(names) > 1] == []


def test_each_module_says_what_it_is_for() -> None:
    assert [
        name for name in PRODUCT if not ast.get_docstring(ast.parse((ROOT / name).read_text("utf-8")))
    ] == []


def test_each_module_has_a_test_file_or_is_listed_with_the_one_that_covers_it() -> None:
    orphans = [
        name
        for name in modules("appliance", "license", "recipes")
        if not name.endswith(("__init__.py", "__main__.py")) and not (ROOT / own_test(name)).exists()
    ]
    used = {}
    for name in orphans:
        used[name] = next((pattern for pattern in TESTED_ELSEWHERE if fnmatchcase(name, pattern)), None)
    assert [name for name, pattern in used.items() if pattern is None] == []
    assert set(TESTED_ELSEWHERE) - set(used.values()) == set(), "patterns that no module needs"
    assert [path for path in TESTED_ELSEWHERE.values() if not (ROOT / path).exists()] == []


def test_the_architecture_page_names_only_what_exists() -> None:
    page = (ROOT / "docs/architecture.md").read_text("utf-8")
    rooms = [
        "",
        "appliance",
        "appliance/api/language",
        "license",
        "license/authority",
        "license/evidence",
        "tests",
    ]
    rooms += ["appliance/api", "appliance/speech", "appliance/ledger"]
    named = set(re.findall(r"(?<![\w/])[a-z_]\w+(?:/[a-z_0-9]+)*(?:\.py|/)(?![\w.<])", page))
    assert {name for name in named if not any((ROOT / room / name).exists() for room in rooms)} == set()
