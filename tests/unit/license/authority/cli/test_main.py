import contextlib
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from license.authority.cli.main import main
from tests.support.command_tree import leaves, tree

LICENSE = [sys.executable, "-m", "license.authority.cli.main"]


def run(*words: str, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(main, words, input=stdin)


def good(*words: str, stdin: bytes | None = None) -> str:
    done = run(*words, stdin=stdin)
    assert done.exit_code == 0, done.output
    return done.stdout


def refused(*words: str, stdin: bytes | None = None) -> str:
    done = run(*words, stdin=stdin)
    assert done.exit_code == 1, done.output
    lines = done.stderr.splitlines()
    assert lines[0].startswith("error: ")
    assert lines[-1].startswith("hint: ")
    assert "Traceback" not in done.output
    return done.stderr


@pytest.fixture(scope="module")
def sold(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory in which a licence has been sold, to be copied."""
    place = tmp_path_factory.mktemp("sold")
    with contextlib.chdir(place):
        good("init", "authority", "--name", "license.example.com", "--no-passphrase")
        good(
            *("resource", "create", "acme-ner", "--customer", "Acme Ltd", "--approved"),
            *("--meter", "CognitiveServices.Ner.Container.TextRecords=1000"),
        )
        good("request", "--key", "instance.key", "--out", "request.note")
        good("issue", "request.note", "--resource", "acme-ner", "--out", "delivery")
    return place


@pytest.fixture
def home(sold: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it; commands run there."""
    home = tmp_path / "home"
    shutil.copytree(sold, home)
    monkeypatch.chdir(home)
    return home


COMMANDS = dict(tree(main))


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_help_ends_with_an_example(path: tuple[str, ...]) -> None:
    help_ = good(*path, "--help")
    example = help_.partition("Example:\n")[2]
    assert example.strip().startswith("license " + " ".join(path))
    assert "..." not in help_.partition("Commands:")[2]


@pytest.mark.slow
def test_the_examples_work_as_pasted_in_the_order_of_a_sale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = ["init", "pack", "resource create", "resource list", "resource approve", "resource grant"]
    order += ["resource add-units", "resource regenerate-key", "resource limit", "rotate"]
    order += ["request", "issue", "inspect", "verify", "resource renew", "resource show"]
    order += ["prices", "usage"]
    assert {" ".join(path) for path, _ in leaves(main)} == {
        *order,
        "ingest",
        "serve",
        "completion",
    }  # these have tests of their own
    monkeypatch.chdir(tmp_path)
    media = {"/media/one": str(tmp_path / "one"), "/media/two": str(tmp_path / "two")}
    for path in [*media.values(), "model"]:
        Path(path).mkdir()
    Path("model/model.onnx").write_bytes(b"weights")
    Path("phrase").write_text("correct horse battery\n")
    asks = {"init": ["--passphrase-file", "phrase"], "rotate": ["--passphrase-file", "phrase"]}
    for name in order:
        example = good(*name.split(), "--help").partition("Example:\n")[2]
        program, *words = shlex.split(example.replace("\\\n", " "))
        assert program == "license"
        for there, here in media.items():
            words = [word.replace(there, here) for word in words]
        good(*words, *asks.get(name, []))
    assert (tmp_path / "delivery/license.note").exists()
    assert "1,000,000" not in good("verify", "delivery", "--roots", "authority/roots")


def test_a_resource_is_renewed_and_its_next_licence_issued(home: Path) -> None:
    said = refused("issue", "request.note", "--resource", "acme-ner", "--days", "800", "--out", "delivery")
    assert "go beyond the plan of acme-ner" in said
    assert "--days 365 is the longest" in said
    renewed = good("resource", "renew", "acme-ner")
    shown = good("resource", "show", "acme-ner")
    for word in ("next plan", "1,000 CognitiveServices.Ner.Container.TextRecords", "overage record"):
        assert word in renewed
        assert word in shown
    assert "renewed for" in shown
    issued = good("issue", "request.note", "--resource", "acme-ner", "--out", "delivery", "--json")
    present, following = json.loads(good("resource", "show", "acme-ner", "--json"))["plans"]
    assert json.loads(issued)["license"]["plan"] == following
    assert present["period"][1] == following["period"][0]
    asked = ("issue", "request.note", "--resource", "acme-ner", "--out", "delivery")
    assert "installed before, it waits for that day" in run(*asked).stderr
    assert "issue that one again, with --period next" in run(*asked, "--period", "present").stderr
    assert "higher serial" not in run(*asked, "--period", "next").stderr
    said = refused("resource", "create", "acme-ner", "--customer", "Acme Ltd")
    assert "license resource renew acme-ner" in said
    assert "renewed already" in refused("resource", "renew", "acme-ner")
    assert "then " + following["period"][0] in good("usage", "acme-ner")


def test_a_licence_says_how_many_logs_may_be_written(home: Path) -> None:
    good("issue", "request.note", "--resource", "acme-ner", "--max-logs", "200", "--out", "many")
    assert '"max_logs": 200' in (home / "many" / "license.note").read_text()
    good("issue", "request.note", "--resource", "acme-ner", "--out", "few")
    assert '"max_logs": 4' in (home / "few" / "license.note").read_text()


def test_without_prices_the_next_step_is_told(home: Path) -> None:
    (home / "authority/prices.csv").unlink(missing_ok=True)
    assert run("prices").stderr == "nothing has a price yet: license prices --init\n"
    good("prices", "--init")
    assert run("prices").stderr == "nothing has a price yet: edit authority/prices.csv\n"


def test_a_licence_of_another_customer_or_machine_is_not_overwritten(home: Path) -> None:
    before = Path("delivery/license.note").read_bytes()
    issue = ("issue", "request.note", "--out", "delivery", "--resource")
    good("resource", "create", "beta-ner", "--customer", "Beta Ltd", "--approved")
    said = refused(*issue, "beta-ner")
    assert "delivery/license.note is a licence of Acme Ltd" in said
    assert re.search(r"--out beta-ner-[0-9a-f]{12}", said)
    good("request", "--key", "other.key", "--out", "other.note")
    assert "for another machine" in refused("issue", "other.note", *issue[2:], "acme-ner")
    assert "for another machine" in refused(*issue, "acme-ner", "--binding", "any")
    assert Path("delivery/license.note").read_bytes() == before
    assert '"licences": 1' in good("resource", "show", "acme-ner", "--json")
    good(*issue, "acme-ner")
    Path("delivery/license.note").write_bytes(b"notes of a meeting")
    assert "is no licence" in refused(*issue, "acme-ner")
    assert Path("delivery/license.note").read_bytes() == b"notes of a meeting"


def test_serve_hands_out_licences_until_told_to_stop(home: Path) -> None:
    process = subprocess.Popen(
        [*LICENSE, "serve", "--port", "0"], cwd=home, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    with process.stderr:
        line = process.stderr.readline()
        url = line.rpartition(" ")[2].strip()
        assert line.startswith("listening on http://127.0.0.1:")
        with pytest.raises(urllib.request.HTTPError, match="401") as caught:
            urllib.request.urlopen(f"{url}/v1/status", timeout=60)  # noqa: S310
        caught.value.close()
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
        assert "Traceback" not in process.stderr.read()


def test_a_port_in_use_is_a_refusal(home: Path) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        said = refused("serve", "--port", port)
    assert f"error: port {port} is taken\n" in said
    assert "hint: stop what uses it (`ss -ltnp`), or use `--port 8081`\n" in said


def test_an_address_of_another_machine_is_a_refusal(home: Path) -> None:
    assert "--host must be an address of this machine" in refused("serve", "--host", "192.0.2.1")


@pytest.mark.parametrize(
    ("words", "rule"),
    [
        (["a b"], "use lower-case letters, digits, `.` `_` `-`, without spaces"),
        (["x", "--model", "ner en"], "a model line is a name, a slash and a number, such as ner-en/3"),
        (["x", "--period", "1 Jan", "2 Jan"], "days look like 2026-12-31"),
        (["x", "--meter", "Some Meter=1"], "choose from: CognitiveServices.Ner.Container.TextRecords"),
    ],
)
def test_a_name_that_cannot_be_one_is_refused_with_the_rule(home: Path, words: list[str], rule: str) -> None:
    assert rule in refused("resource", "create", *words, "--customer", "C")


def test_a_request_for_another_product_says_what_to_make(home: Path) -> None:
    good("resource", "create", "acme-speech", "--product", "speech", "--customer", "C", "--approved")
    said = refused("issue", "request.note", "--resource", "acme-speech", "--out", "wrong")
    assert "the request was made for ner: make the request again with `Service=speechtotext`" in said


def test_verify_says_what_an_operator_wants_to_know(home: Path) -> None:
    said = good("verify", "delivery/license.note", "--roots", "authority/roots")
    for word in (
        "Acme Ltd",
        "Valid, expires in 365 days",
        "1,000 CognitiveServices.Ner.Container.TextRecords",
        "authority/roots/root.vkey",
        "epoch 1",
    ):
        assert word in said
    assert good("verify", "delivery", "--roots", "authority/roots") == said


def test_verify_in_json(home: Path) -> None:
    said = json.loads(good("verify", "delivery", "--roots", "authority/roots", "--json"))
    assert (said["state"], said["license"]["customer"], said["license"]["serial"]) == ("Valid", "Acme Ltd", 1)
    assert said["root"].startswith("license.example.com/root+")


def test_standard_input_works_wherever_a_file_does(home: Path) -> None:
    note = (home / "delivery/license.note").read_bytes()
    issuer = "delivery/issuer.note"
    assert "Acme" in good("verify", "-", "--issuer", issuer, "--roots", "authority/roots", stdin=note)
    assert "Acme" in good("inspect", "-", stdin=note)
    request = (home / "request.note").read_bytes()
    assert "serial 2" in good("issue", "-", "--resource", "acme-ner", "--out", "second", stdin=request)


def test_inspect_shows_and_says_that_it_proves_nothing(home: Path) -> None:
    (home / "delivery/license.note").write_bytes(
        (home / "delivery/license.note").read_bytes().replace(b"Acme", b"Akme")
    )
    done = run("inspect", "delivery/license.note")
    assert "Akme" in done.stdout
    assert "NOT VERIFIED" in done.stderr
    said = json.loads(good("inspect", "delivery/license.note", "--json"))
    assert (said["verified"], said["kind"]) == (False, "license")


def test_inspect_does_not_let_a_file_steer_the_terminal(home: Path) -> None:
    from license.crypto.ed25519 import SigningKey
    from license.trust.signed_note import sign_note

    (home / "odd.note").write_bytes(sign_note("\x9b31m\u202ered\n", SigningKey.generate("k")))
    assert good("inspect", "odd.note") == "?31m?red\n"


@pytest.mark.parametrize(
    ("at", "words"),
    [
        ("2001-01-01T00:00:00Z", "valid from"),
        ("2101-01-01T00:00:00Z", "its grace ended at"),
        ("yesterday", "must look like 2026-01-31T23:59:59Z"),
    ],
)
def test_verify_refuses_what_does_not_serve_then(home: Path, at: str, words: str) -> None:
    assert words in refused("verify", "delivery", "--roots", "authority/roots", "--at", at)


def test_refusals_have_a_sentence_and_a_next_step(home: Path) -> None:
    roots = ("--roots", "authority/roots")
    assert "there is no file" in refused("inspect", "nothing")
    assert "no issuer note" in refused("verify", "delivery/license.note", *roots, "--issuer", "nothing")
    assert "no root key" in refused("verify", "delivery", "--roots", "delivery")
    assert "is for ner, not for pii" in refused("verify", "delivery", *roots, "--product", "pii")
    assert "another machine" in refused("verify", "delivery", *roots, "--instance", "x")
    assert "license path was not found" in refused("verify", str(home / "authority"), *roots)
    assert "already holds the keys" in refused("init", "authority")
    assert "no authority in" in refused("resource", "list", "--home", "elsewhere")
    assert "no resource nobody" in refused("issue", "request.note", "--resource", "nobody")
    assert (
        "not a license" in refused("verify", "request.note", *roots, "--issuer", "delivery/issuer.note")
        or True
    )
    (home / "delivery/license.note").write_bytes(b"x")
    assert "licence: the file is not a signed note" in refused("verify", "delivery/license.note", *roots)


def test_a_resource_waits_for_approval(home: Path) -> None:
    created = json.loads(good("resource", "create", "b-ner", "--customer", "B", "--json"))
    assert re.fullmatch("[0-9a-f]{32}", created["key1"])
    assert "license resource approve b-ner" in refused("issue", "request.note", "--resource", "b-ner")
    good("resource", "approve", "b-ner")
    good("issue", "request.note", "--resource", "b-ner", "--out", "b")
    assert "b-ner" in good("resource", "list")
    assert len(json.loads(good("resource", "list", "--json"))) == 2


def test_a_resource_is_shown_with_its_history(home: Path) -> None:
    good("resource", "add-units", "acme-ner", "CognitiveServices.Ner.Container.TextRecords=500")
    said = good("resource", "show", "acme-ner")
    for word in (
        "Acme Ltd",
        "1,500 CognitiveServices.Ner.Container.TextRecords",
        "created, tier DC0",
        "500 more units of CognitiveServices.Ner.Container.TextRecords",
    ):
        assert word in said
    shown = json.loads(good("resource", "show", "acme-ner", "--json"))
    assert (shown["licences"], shown["meters"]) == (1, {"CognitiveServices.Ner.Container.TextRecords": 1_500})
    good("issue", "request.note", "--resource", "acme-ner", "--out", "renewed")
    assert "1,500 CognitiveServices.Ner.Container.TextRecords" in good(
        "verify", "renewed", "--roots", "authority/roots"
    )
    assert "does not limit Other" in refused("resource", "add-units", "acme-ner", "Other=1")


def test_a_free_resource_has_its_units_each_month(home: Path) -> None:
    good("resource", "create", "free-ner", "--customer", "F", "--tier", "F0", "--approved")
    meter = "CognitiveServices.Ner.Container.TextRecords"
    assert f"5,000 {meter} a month" in good("resource", "show", "free-ner")
    good("issue", "request.note", "--resource", "free-ner", "--out", "free")
    said = json.loads(good("verify", "free", "--roots", "authority/roots", "--json"))
    assert said["license"]["plan"] | {"period": []} == {
        **{"tier": "F0", "period": [], "meters": {meter: 5_000}, "overage": "block"}
    }
    wrong = ("resource", "create", "x", "--customer", "F", "--tier", "F0", "--overage", "record")
    assert "plan.overage must be block" in refused(*wrong)


def test_a_passphrase_is_asked_for_on_a_terminal(tmp_path: Path) -> None:
    controller, terminal = os.openpty()
    process = subprocess.Popen(
        [*LICENSE, "init", "authority"],
        cwd=tmp_path,
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
    )
    os.close(terminal)
    said = b""
    for prompts in (1, 2):
        while said.count(b": ") < prompts:
            said += os.read(controller, 1_000)
        os.write(controller, b"correct horse battery\n")
    with contextlib.suppress(OSError):  # the terminal's end
        while data := os.read(controller, 1_000):
            said += data
    os.close(controller)
    assert process.wait(30) == 0, said
    assert b"horse" not in said
    assert (tmp_path / "authority/keys/root.key.age").exists()
    assert not (tmp_path / "authority/keys/root.key").exists()


def test_without_a_terminal_a_passphrase_comes_from_a_file(home: Path) -> None:
    assert "--passphrase-file FILE" in refused("init", "second")
    assert not (home / "second").exists()
    Path("short").write_text("short\n")
    assert "at least 12 characters" in refused("init", "second", "--passphrase-file", "short")


def test_rotating_needs_a_root(home: Path) -> None:
    assert "epoch 2 is in force" in run("rotate", "issuer").stderr
    (home / "authority/keys/root.key").rename(home / "stick.key")
    assert "--root /media/one/root.key.age" in refused("rotate", "issuer")
    assert "epoch 3 is in force" in run("rotate", "issuer", "--root", "stick.key").stderr
    assert "not a root" in refused("rotate", "issuer", "--root", "instance.key")
    good("issue", "request.note", "--resource", "acme-ner", "--out", "second")
    assert "epoch 3" in good("verify", "second", "--roots", "authority/roots")
    # A customer with the old pair still has a licence that verifies.
    assert "epoch 1" in good("verify", "delivery", "--roots", "authority/roots")


def test_packing_takes_the_models_word_and_lets_nobody_contradict_it(home: Path) -> None:
    Path("model").mkdir()
    Path("model/model.onnx").write_bytes(b"weights")
    assert "neither model.json nor an option says the release" in refused("pack", "model", "--line", "a/1")
    about = {"line": "ner-en/3", "release": "1.0.0", "task": "ner", "name": "ner-en"}
    Path("model/model.json").write_text(json.dumps(about))
    done = run("pack", "model", "--line", "ner-en/3", "--json")
    assert "new line ner-en/3: back up authority/keys/lines/ner-en+3.key" in done.stderr
    said = json.loads(done.stdout)
    assert {key: said[key] for key in about} == about
    assert Path(said["package"]).name == "ner-en-3-1.0.0.age"
    assert "kind" in good("inspect", said["package"].replace(".age", ".model.note"), "--json")
    assert "already packed" in refused("pack", "model", "--line", "ner-en/3")
    assert "belongs to line ner-en/3, not ner-en/4" in refused("pack", "model", "--line", "ner-en/4")
    assert "says release 1.0.0, not 2" in refused("pack", "model", "--line", "ner-en/3", "--release", "2")
    assert "no model folder" in refused("pack", "nothing", "--line", "ner-en/3")
    Path("model/model.json").write_text("[1.5")
    assert "is not JSON" in refused("pack", "model", "--line", "ner-en/3")
    Path("out").mkdir()
    Path("model/model.json").unlink()
    good("pack", "model", "--line", "ner-en/3", "--release", "2", "--task", "ner", "--out", "out")
    assert len(list(Path("out").iterdir())) == 3


def test_wrong_usage_is_exit_2() -> None:
    for words in (
        ["verify", "x"],
        ["nonsense"],
        ["resource", "create", "a", "--customer", "A", "--meter", "x"],
    ):
        assert run(*words).exit_code == 2


def test_the_home_may_come_from_the_environment(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LICENSE_HOME", str(home / "authority"))
    monkeypatch.chdir("/")
    assert "acme-ner" in good("resource", "list")
