"""Access keys, TLS and client certificates over real sockets."""

import ssl
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest
from azure.ai.textanalytics import TextAnalyticsClient
from azure.core.credentials import AzureKeyCredential
from azure.core.exceptions import ClientAuthenticationError

from appliance.api.responses import ErrorResponse
from tests.support import certificates
from tests.support.site import SENTENCE, VERSION, Site

KEYS = ("first-key-0123456789", "second-key-0123456789")
BODY = {"kind": "EntityRecognition", "analysisInput": {"documents": [{"id": "1", "text": SENTENCE}]}}


def analyze(client: httpx2.Client, **headers: str) -> httpx2.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.post("/language/:analyze-text", params=VERSION, json=BODY, headers=named)


@pytest.mark.e2e
def test_with_keys_only_their_holders_are_served_and_probes_and_pages_stay_open(site: Site) -> None:
    site.issue()
    service = site.start(f"ApiKeys:one={KEYS[0]}", f"--ApiKeys:Two={KEYS[1]}")
    assert "No access control enabled!" not in service.text()
    assert KEYS[0] not in service.text()
    with service.client() as client:
        denied = analyze(client)
        ErrorResponse.model_validate(denied.json())
        assert (denied.status_code, denied.json()["error"]["code"]) == (401, "401")
        assert denied.json()["error"]["message"].startswith("Access denied due to invalid subscription key")
        assert "innererror" not in denied.json()["error"]
        for wrong in ("", "wrong", KEYS[0][:-1], KEYS[0] + "x", KEYS[0].upper()):
            assert analyze(client, Ocp_Apim_Subscription_Key=wrong).status_code == 401
        for path in ("/models", "/records/usage-logs/", "/usage/daily", "/nowhere", "/language/x"):
            assert client.get(path).status_code == 401, path
        for path in ("/", "/ready", "/status", "/swagger", "/openapi.json", "/static/app.js"):
            assert client.get(path).status_code == 200, path
        for key in KEYS:
            assert analyze(client, Ocp_Apim_Subscription_Key=key).status_code == 200
            assert analyze(client, Authorization=key).status_code == 200
            assert analyze(client, Authorization=f"Bearer {key}").status_code == 200
    right = TextAnalyticsClient(service.url, AzureKeyCredential(KEYS[1]))
    assert not right.recognize_entities([SENTENCE])[0].is_error
    wrong_key = TextAnalyticsClient(service.url, AzureKeyCredential("wrong"))
    with pytest.raises(ClientAuthenticationError):
        wrong_key.begin_recognize_custom_entities([SENTENCE], "demo", "production")
    assert service.stop() == 0


@pytest.mark.e2e
def test_without_keys_the_containers_warning_is_shown(site: Site) -> None:
    site.issue()
    service = site.start()
    assert "No access control enabled!" in service.text()
    with service.client() as client:
        assert analyze(client, Ocp_Apim_Subscription_Key="anything").status_code == 200
    assert service.stop() == 0


def test_an_empty_key_is_refused_at_start(site: Site) -> None:
    site.issue()
    done = site.run("ApiKeys:one=")
    assert done.returncode == 78
    assert "ApiKeys:one" in done.stderr


Issue = Callable[..., tuple[Path, Path]]


@pytest.fixture
def issue(tmp_path: Path) -> Issue:
    """A certificate authority: `issue(name)` gives a certificate and its key, with `ca=True` its own."""
    root = certificates.authority("test root")

    def make(name: str, *, ca: bool = False) -> tuple[Path, Path]:
        return (root if ca else certificates.certificate(name, root)).write(tmp_path, name)

    return make


@pytest.mark.e2e
def test_with_a_client_authority_only_callers_with_its_certificates_are_served(
    site: Site, issue: Issue
) -> None:
    authority, _ = issue("root", ca=True)
    certificate, key = issue("server")
    mine, my_key = issue("caller")
    site.issue()
    service = site.start(
        f"Tls:Certificate={certificate}", f"Tls:Key={key}", f"Tls:ClientAuthority={authority}"
    )
    assert service.url.startswith("https://")
    assert "No access control enabled!" not in service.text()
    url = service.url.replace("127.0.0.1", "localhost")
    stranger = ssl.create_default_context(cafile=str(authority))
    with (
        httpx2.Client(base_url=url, verify=stranger, trust_env=False) as client,
        pytest.raises(httpx2.TransportError),
    ):
        client.get("/status")
    caller = ssl.create_default_context(cafile=str(authority))
    caller.load_cert_chain(mine, my_key)
    with httpx2.Client(base_url=url, verify=caller, trust_env=False) as client:
        reply = analyze(client)
        assert reply.status_code == 200
        assert "max-age" in reply.headers["strict-transport-security"]
        submitted = client.post(
            "/language/analyze-text/jobs",
            params=VERSION,
            json={
                "analysisInput": BODY["analysisInput"],
                "tasks": [
                    {
                        "kind": "CustomEntityRecognition",
                        "parameters": {"projectName": "demo", "deploymentName": "production"},
                    }
                ],
            },
        )
        assert submitted.headers["operation-location"].startswith(f"{url}/language/")
    old = ssl.create_default_context(cafile=str(authority))
    old.load_cert_chain(mine, my_key)
    old.minimum_version = ssl.TLSVersion.TLSv1_2
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with httpx2.Client(base_url=url, verify=old, trust_env=False) as client:
        assert client.get("/ready").status_code == 200
    assert service.stop() == 0


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["Tls:Key={key}"], "Tls:Certificate is missing"),
        (["Tls:Certificate=/nowhere.pem"], "/nowhere.pem"),
        (["Tls:Certificate={certificate}", "Tls:Key={other}"], "cannot be used with its key"),
        (["Tls:Certificate={certificate}", "Tls:Key={key}", "Tls:ClientAuthority={key}"], "ClientAuthority"),
    ],
)
def test_tls_files_that_cannot_be_used_end_the_start_with_their_name(
    site: Site, issue: Issue, words: list[str], sentence: str
) -> None:
    certificate, key = issue("server")
    _, other = issue("other")
    site.issue()
    done = site.run(*(word.format(certificate=certificate, key=key, other=other) for word in words))
    assert done.returncode == 78, done.stderr
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
