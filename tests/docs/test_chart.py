"""The Helm chart of a site, rendered by Helm's own engine, and the plain manifests made of it."""

import json
import re
import runpy
import shutil
import subprocess
from pathlib import Path
from typing import Any

import helm_python
import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml  # type: ignore[import-untyped]

from appliance.config.settings import Settings
from appliance.version import VERSION
from tests.support.paths import ROOT

CHART = ROOT / "docs/deploy/chart"
PROBE = "/ready?exclude=license"
"""Callers read why a pod refuses: without it, they are refused a connection."""
SITE = ROOT / "docs/deploy/site"
ACCEPTED: dict[str, Any] = {"eula": "accept"}
LICENSED: dict[str, Any] = {**ACCEPTED, "license": {"secret": "site-license"}}
PEER = {"podSelector": {"matchLabels": {"app": "postgres"}}}
FULL: dict[str, Any] = {
    **LICENSED,
    "image": {
        "repository": "registry.test/appliance",
        "digest": f"sha256:{'0' * 64}",
        "pullSecrets": ["registry"],
    },
    "roots": {"configMap": "roots"},
    "desk": {
        "restored": True,
        "storage": {"size": "20Gi", "className": "fast", "existingClaim": ""},
        "nodeSelector": {"disk": "ssd"},
    },
    "jobs": {"database": {"secret": "jobs"}},
    "replicas": {
        "lameDuckSeconds": 15,
        "drainSeconds": 60,
        "allowedHosts": ["ner.example.com"],
        "trustedProxies": ["10.0.0.0/24"],
        "accessKeys": {"secret": "callers"},
        "models": {"claim": "models"},
        "settings": {"Models:General": "en", "Engine:Sessions": 2},
        "tolerations": [{"key": "ai", "operator": "Exists"}],
    },
    "networkPolicy": {"database": [PEER], "deskCallers": [{"podSelector": {"matchLabels": {"app": "look"}}}]},
    "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
}
SPEECH = {**FULL, "service": "speechtotext"}
BARE = {
    **LICENSED,
    "autoscaling": {"enabled": False},
    "podDisruptionBudget": {"enabled": False},
    "networkPolicy": {"enabled": False},
    "desk": {"storage": {"existingClaim": "kept"}},
}
SETS: dict[str, dict[str, Any]] = {
    "no licence yet": ACCEPTED,
    "licensed": LICENSED,
    "full": FULL,
    "speech": SPEECH,
    "bare": BARE,
}


def render(values: dict[str, Any]) -> dict[tuple[str, str], Any]:
    """Return the resources by kind and name."""
    with helm_python.Chart.load(CHART) as chart:
        parts = chart.render(values, name="site", namespace="ai")
    texts = [text for name, text in parts.items() if name.endswith(".yaml")]
    resources = [resource for text in texts for resource in yaml.safe_load_all(text) if resource]
    found = {(resource["kind"], resource["metadata"]["name"]): resource for resource in resources}
    assert len(found) == len(resources)
    return found


def notes(values: dict[str, Any]) -> str:
    with helm_python.Chart.load(CHART) as chart:
        (text,) = (
            text
            for name, text in chart.render(values, name="site", namespace="ai").items()
            if name.endswith("NOTES.txt")
        )
    return str(text)


def pods(resources: dict[tuple[str, str], Any]) -> dict[str, Any]:
    """Return the specification of each kind of pod, by the kind of what makes it."""
    makers = {"StatefulSet", "Deployment", "Job"}
    return {kind: one["spec"]["template"]["spec"] for (kind, _), one in resources.items() if kind in makers}


def environ(pod: dict[str, Any]) -> dict[str, Any]:
    (container,) = pod["containers"]
    return {one["name"]: one.get("value", one.get("valueFrom")) for one in container["env"]}


@pytest.mark.parametrize("name", SETS)
def test_what_the_chart_gives_fits_the_schemas_of_kubernetes(name: str) -> None:
    resources = render(SETS[name])
    for (kind, _), resource in resources.items():
        if kind != "ServiceMonitor":  # not of Kubernetes itself; see below
            kubernetes_validate.validate(resource, "1.29", strict=True)
            kubernetes_validate.validate(resource, kubernetes_validate.latest_version(), strict=True)


@pytest.mark.parametrize("name", SETS)
def test_helm_lints_the_chart_without_a_complaint(name: str) -> None:
    report = helm_python.lint(CHART, SETS[name], strict=True)
    assert report["errors"] == []
    assert [one["error"] for one in report["messages"]] == ["icon is recommended"]


def test_chart_and_software_have_one_version() -> None:
    about = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert (about["version"], about["appVersion"]) == (VERSION, VERSION)


def test_before_there_is_a_licence_only_the_request_is_made() -> None:
    resources = render(ACCEPTED)
    assert {kind for kind, _ in resources} == {"PersistentVolumeClaim", "Job", "NetworkPolicy"}
    assert pods(resources)["Job"]["containers"][0]["args"][:2] == ["site", "request"]
    assert "logs job/site-request-1 >request.note" in notes(ACCEPTED)
    assert "create secret generic site-license" in notes(ACCEPTED)


def test_the_volume_with_the_keys_is_the_same_before_and_after_and_outlives_the_release() -> None:
    before, after = (render(values)["PersistentVolumeClaim", "site-desk"] for values in (ACCEPTED, LICENSED))
    assert before == after
    assert before["spec"]["accessModes"] == ["ReadWriteOncePod"]
    assert before["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    assert ("PersistentVolumeClaim", "site-desk") not in render(BARE)


@pytest.mark.parametrize("values", [LICENSED, FULL, SPEECH])
def test_the_desk_is_one_and_its_volume_no_replica_s(values: dict[str, Any]) -> None:
    resources = render(values)
    assert resources["StatefulSet", "site-desk"]["spec"]["replicas"] == 1
    assert "HorizontalPodAutoscaler" in {kind for kind, _ in resources}
    assert resources["HorizontalPodAutoscaler", "site"]["spec"]["scaleTargetRef"]["kind"] == "Deployment"
    desk, replica = pods(resources)["StatefulSet"], pods(resources)["Deployment"]
    assert {"name": "desk", "persistentVolumeClaim": {"claimName": "site-desk"}} in desk["volumes"]
    claims = [one["persistentVolumeClaim"] for one in replica["volumes"] if "persistentVolumeClaim" in one]
    assert all(claim == {"claimName": "models", "readOnly": True} for claim in claims)
    (container,) = replica["containers"]
    writable = {one["name"] for one in container["volumeMounts"] if not one.get("readOnly")}
    kinds = {one["name"]: set(one) - {"name"} for one in replica["volumes"]}
    assert {name: kinds[name] for name in writable} == {"data": {"emptyDir"}, "tmp": {"emptyDir"}}
    assert environ(replica)["Mounts__State"].startswith("/data/")
    assert environ(replica)["Mounts__Output"].startswith("/data/")


@pytest.mark.parametrize("name", SETS)
def test_no_pod_has_a_privilege(name: str) -> None:
    for pod in pods(render(SETS[name])).values():
        about = pod["securityContext"]
        assert (about["runAsNonRoot"], about["runAsUser"]) == (True, 10001)
        assert about["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        for container in [*pod.get("initContainers", []), *pod["containers"]]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert set(container["resources"]) == {"requests", "limits"}


@pytest.mark.parametrize(("values", "least"), [(LICENSED, 10 + 20), (FULL, 15 + 60)])
def test_a_pod_is_waited_for_longer_than_it_drains(values: dict[str, Any], least: int) -> None:
    pod = pods(render(values))["Deployment"]
    told = environ(pod)
    assert int(told["Http__LameDuckSeconds"]) + int(told["Http__DrainSeconds"]) == least
    assert pod["terminationGracePeriodSeconds"] == least + 30
    # A balancer that asks as often as the readiness probe has heard of it before the door is closed.
    probe = pod["containers"][0]["readinessProbe"]
    assert probe["httpGet"] == {"path": PROBE, "port": "http"}
    assert int(told["Http__LameDuckSeconds"]) > probe["periodSeconds"]


def test_replicas_reach_the_desk_the_database_and_names_and_the_desk_reaches_nothing() -> None:
    resources = render(FULL)
    desk, replica = (
        resources["NetworkPolicy", "site-desk"]["spec"],
        resources["NetworkPolicy", "site"]["spec"],
    )
    labels = {
        (kind, name): one["spec"]["template"]["metadata"]["labels"]
        for (kind, name), one in resources.items()
        if kind in ("StatefulSet", "Deployment")
    }
    of_desk, of_replica = labels["StatefulSet", "site-desk"], labels["Deployment", "site"]
    assert (desk["policyTypes"], "egress" in desk) == (["Ingress", "Egress"], False)
    assert desk["podSelector"]["matchLabels"].items() <= of_desk.items()
    assert of_desk["app.kubernetes.io/component"] in desk["podSelector"]["matchExpressions"][0]["values"]
    (comes_in,) = desk["ingress"]
    assert comes_in["ports"] == [{"protocol": "TCP", "port": 5080}]
    assert comes_in["from"] == [
        {"podSelector": {"matchLabels": of_replica}},
        *FULL["networkPolicy"]["deskCallers"],
    ]
    assert replica["podSelector"]["matchLabels"] == of_replica
    to_desk, to_database, to_names = replica["egress"]
    assert to_desk["to"] == [{"podSelector": {"matchLabels": of_desk}}]
    assert to_database == {"to": [PEER], "ports": [{"protocol": "TCP", "port": 5432}]}
    assert {port["port"] for port in to_names["ports"]} == {53}
    assert all(set(peer) >= {"namespaceSelector", "podSelector"} for peer in to_names["to"])
    without_database = render(LICENSED)["NetworkPolicy", "site"]["spec"]
    assert without_database["egress"] == [to_desk, to_names]


@pytest.mark.parametrize("values", [LICENSED, FULL, SPEECH])
def test_services_and_policies_select_the_pods_they_are_for(values: dict[str, Any]) -> None:
    resources = render(values)
    for name, kind, port in (("site-desk", "StatefulSet", "desk"), ("site", "Deployment", "http")):
        made, service = resources[kind, name]["spec"], resources["Service", name]["spec"]
        labels = made["template"]["metadata"]["labels"]
        assert made["selector"]["matchLabels"] == service["selector"] == labels
        assert service["ports"][0]["targetPort"] == port
        assert port in {one["name"] for one in made["template"]["spec"]["containers"][0]["ports"]}
    assert resources["PodDisruptionBudget", "site"]["spec"]["selector"]["matchLabels"] == labels
    told = environ(pods(resources)["Deployment"])
    assert (
        told["Billing"] == f"http://site-desk:{resources['Service', 'site-desk']['spec']['ports'][0]['port']}"
    )


def test_the_monitor_asks_the_service_of_the_replicas() -> None:
    resources = render(FULL)
    monitor, service = resources["ServiceMonitor", "site"], resources["Service", "site"]
    assert monitor["apiVersion"] == "monitoring.coreos.com/v1"
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    (endpoint,) = monitor["spec"]["endpoints"]
    assert endpoint == {"port": service["spec"]["ports"][0]["name"], "path": "/metrics", "interval": "30s"}
    assert monitor["metadata"]["labels"]["release"] == "prometheus"


@pytest.mark.parametrize("values", [LICENSED, FULL, SPEECH])
def test_the_service_understands_what_its_pod_says(values: dict[str, Any]) -> None:
    told = environ(pods(render(values))["Deployment"])
    plain = {name: value if isinstance(value, str) else "a-secret" for name, value in told.items()}
    plain.pop("ApiKeys__File", None)  # a file of the pod
    read = Settings.read((), plain)
    assert read.lame_duck_seconds == int(told["Http__LameDuckSeconds"])
    assert read.service.name == values.get("service", "customner")


@pytest.mark.parametrize("name", SETS)
def test_secrets_are_named_and_never_held(name: str) -> None:
    resources = render(SETS[name])
    assert "Secret" not in {kind for kind, _ in resources}
    told = environ(pods(resources)["Deployment"]) if "Deployment" in pods(resources) else {}
    for secret in ("ApiKey", "Jobs__Database"):
        assert isinstance(told.get(secret, {}), dict)


def test_without_autoscaling_the_number_is_as_it_says() -> None:
    assert render(BARE)["Deployment", "site"]["spec"]["replicas"] == 3
    assert "replicas" not in render(LICENSED)["Deployment", "site"]["spec"]


def test_the_notes_say_how_many_replicas_the_licence_needs_and_what_is_missing() -> None:
    assert "must allow 10 replicas" in notes(LICENSED)
    assert "must allow 4 replicas" in notes(BARE)
    assert "jobs.database.secret is empty" in notes(LICENSED)
    assert "WARNING" not in notes(FULL)
    closed = {**FULL, "networkPolicy": {"database": []}}
    assert "networkPolicy.database is empty" in notes(closed)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "/eula"),
        ({"eula": "yes"}, "/eula"),
        ({**ACCEPTED, "service": "vision"}, "/service"),
        ({**ACCEPTED, "replica": {"count": 2}}, "replica"),
        ({**ACCEPTED, "replicas": {"count": 0}}, "/replicas/count"),
        ({**ACCEPTED, "replicas": {"lameDuckSeconds": 0}}, "/replicas/lameDuckSeconds"),
        ({**ACCEPTED, "replicas": {"settings": {"ApiKey": "secret"}}}, "propertyName"),
        ({**ACCEPTED, "replicas": {"settings": {"mounts:OUTPUT": "/x"}}}, "propertyName"),
        ({**ACCEPTED, "image": {"digest": "latest"}}, "/image/digest"),
        ({**ACCEPTED, "siteKey": {"secret": ""}}, "/siteKey/secret"),
        ({**ACCEPTED, "networkPolicy": {"callers": []}}, "/networkPolicy/callers"),
        ({**ACCEPTED, "autoscaling": {"maxReplicas": "many"}}, "/autoscaling/maxReplicas"),
    ],
)
def test_values_that_do_not_fit_are_refused_by_name(values: dict[str, Any], said: str) -> None:
    with pytest.raises(helm_python.HelmValuesError, match=re.escape(said)):
        render(values)


def test_every_value_has_a_place_in_the_schema() -> None:
    def compare(values: Any, schema: dict[str, Any], where: str) -> None:
        if isinstance(values, dict) and "properties" in schema:
            assert schema["additionalProperties"] is False, where
            for name, value in values.items():
                compare(value, schema["properties"][name], f"{where}.{name}")

    schema = json.loads((CHART / "values.schema.json").read_text())
    compare(yaml.safe_load((CHART / "values.yaml").read_text()), schema, "")


@pytest.mark.parametrize("file", ["request.yaml", "site.yaml"])
def test_the_plain_manifests_are_what_the_chart_gives(file: str) -> None:
    made = str(runpy.run_path(str(ROOT / "packaging/manifests.py"))["render"](file))
    assert (SITE / file).read_text() == made, "make manifests writes them anew"
    for resource in yaml.safe_load_all(made):
        kubernetes_validate.validate(resource, kubernetes_validate.latest_version(), strict=True)


def test_kustomize_lays_its_changes_over_the_plain_manifests(tmp_path: Path) -> None:
    if shutil.which("kubectl") is None:
        pytest.skip("needs kubectl: apt-get install kubernetes-client")
    place = shutil.copytree(SITE, tmp_path / "site")
    own = (place / "kustomization.yaml").read_text().replace("newTag: 0.1.0", "newTag: own")
    (place / "kustomization.yaml").write_text(own.replace("value: 9", "value: 4"))
    done = subprocess.run(["kubectl", "kustomize", str(place)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    made = {(one["kind"], one["metadata"]["name"]): one for one in yaml.safe_load_all(done.stdout)}
    assert made["HorizontalPodAutoscaler", "appliance"]["spec"]["maxReplicas"] == 4
    images = {
        container["image"]
        for pod in pods(made).values()
        for container in [*pod.get("initContainers", []), *pod["containers"]]
    }
    assert images == {"registry.example.com/offline-appliance:own"}
