"""What is sent to the services: credentials, conditions, signatures, attributes."""

import json
import sys

import pytest

from kist.errors import ConfigError, MissingExtraError, StoreError
from kist.model.key import Key
from kist.store.base import Capability
from kist.store.registry import open_store
from tests.servers.proxy import Answer, Proxy
from tests.servers.run import leave_clouds, need_packages

A = Key("/a")
KEYS = {"access_key_id": "GIVENKEY", "secret_access_key": "SECRET"}
AZURE_KEY = "c2VjcmV0"


@pytest.fixture(autouse=True)
def no_clouds(monkeypatch):
    need_packages("obstore")
    leave_clouds(monkeypatch)


@pytest.fixture
def server():
    with Proxy() as server:
        server.always = Answer(200, "", (("ETag", '"x"'),))
        yield server


def send_put(server, url, *, mode="create", **options):
    """Put an object and return the request."""
    options = {"endpoint": server.url, "retries": 0, **options}
    open_store(url, options=options).put(A, b"data", mode=mode)
    request = server.requests[-1]
    return request._replace(headers={name.lower(): text for name, text in request.headers.items()})


def test_s3_is_asked_to_create(server):
    sent = send_put(server, "s3://bucket/x", **KEYS)
    assert (sent.method, sent.path, sent.body) == ("PUT", "/bucket/x/a", b"data")
    assert sent.headers["if-none-match"] == "*"
    assert sent.headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=GIVENKEY/")
    assert sent.headers["user-agent"].startswith("kist/")
    assert "if-none-match" not in send_put(server, "s3://bucket/x", mode="replace", **KEYS).headers


def test_google_is_asked_to_create(server):
    account = {"gcs_base_url": server.url, "disable_oauth": True}
    account |= dict.fromkeys(("client_email", "private_key", "private_key_id"), "x")
    key = json.dumps(account)
    options = {"service_account_key": key, "endpoint": None, "allow_http": True}
    sent = send_put(server, "gs://bucket/x", **options)
    assert (sent.method, sent.path) == ("PUT", "/bucket/x%2Fa")
    assert sent.headers["x-goog-if-generation-match"] == "0"


def test_google_is_read_without_credentials(server):
    store = open_store(f"gs://bucket/x?anonymous=true&endpoint={server.url}")
    server.always = Answer(404, "NoSuchKey")
    assert store.find(A) is None
    assert "authorization" not in {name.lower() for name in server.requests[-1].headers}
    assert server.requests[-1].path == "/bucket/x%2Fa"


def test_an_endpoint_from_the_environment_is_asked_for_encryption_too(server, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
    store = open_store("s3://bucket", options={**KEYS, "retries": 0})
    with pytest.raises(ConfigError) as caught:
        store.put(A, b"x")
    assert caught.value.kind == "http_not_allowed"
    assert send_put(server, "s3://bucket", endpoint=None, allow_http=True, **KEYS).body == b"data"


def test_azure_is_asked_to_create(server):
    sent = send_put(server, "az://container/x", account="lab", account_key=AZURE_KEY)
    assert sent.path == "/container/x/a"
    assert sent.headers["if-none-match"] == "*"
    assert sent.headers["authorization"].startswith("SharedKey lab:")


@pytest.mark.parametrize("scheme", ["az", "azure"])
def test_azure_has_two_names(server, scheme):
    options = {"account": "lab", "account_key": AZURE_KEY}
    assert send_put(server, f"{scheme}://container", **options).path == "/container/a"


def test_credentials_are_found_in_the_environment(server, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "ENVKEY")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "SECRET")
    assert "Credential=ENVKEY/" in send_put(server, "s3://bucket").headers["authorization"]
    assert (
        "Credential=GIVENKEY/" in send_put(server, "s3://bucket", **KEYS).headers["authorization"]
    )
    assert "authorization" not in send_put(server, "s3://bucket", anonymous=True).headers


@pytest.fixture
def profiles(isolated):
    need_packages("boto3")
    place = isolated / ".aws"
    place.mkdir()
    (place / "credentials").write_text(
        "[default]\naws_access_key_id = DEFAULTKEY\naws_secret_access_key = SECRET\n"
        "[lab]\naws_access_key_id = LABKEY\naws_secret_access_key = SECRET\n"
    )
    (place / "config").write_text("[profile lab]\nregion = eu-west-3\n[default]\n")
    return place


def test_credentials_are_found_in_profiles(server, profiles):
    assert "Credential=DEFAULTKEY/" in send_put(server, "s3://bucket").headers["authorization"]
    sent = send_put(server, "s3://bucket", profile="lab").headers["authorization"]
    assert "Credential=LABKEY/" in sent
    assert "/eu-west-3/s3/" in sent
    sent = send_put(server, "s3://bucket?profile=lab", region="eu-west-1").headers["authorization"]
    assert "/eu-west-1/s3/" in sent
    assert (
        "Credential=GIVENKEY/" in send_put(server, "s3://bucket", **KEYS).headers["authorization"]
    )


def test_the_environment_comes_before_the_default_profile(server, profiles, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "ENVKEY")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "SECRET")
    assert "Credential=ENVKEY/" in send_put(server, "s3://bucket").headers["authorization"]


def test_a_profile_that_is_not_there_is_refused(profiles):
    with pytest.raises(ConfigError) as caught:
        open_store("s3://bucket?profile=other")
    assert caught.value.kind == "profile_unusable"
    assert "'other'" in str(caught.value)


def test_a_profile_without_boto3_is_refused(monkeypatch):
    monkeypatch.setitem(sys.modules, "boto3", None)
    monkeypatch.setitem(sys.modules, "boto3.session", None)
    with pytest.raises(MissingExtraError) as caught:
        open_store("s3://bucket?profile=lab")
    assert caught.value.fields["package"] == "boto3"


def test_profiles_without_boto3_are_left_alone(server, isolated, monkeypatch):
    (isolated / ".aws").mkdir()
    (isolated / ".aws" / "config").write_text("[default]\n")
    monkeypatch.setitem(sys.modules, "boto3", None)
    monkeypatch.setitem(sys.modules, "boto3.session", None)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "ENVKEY")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "SECRET")
    assert "Credential=ENVKEY/" in send_put(server, "s3://bucket").headers["authorization"]


def test_the_payload_is_hashed_only_where_nobody_else_protects_it(server):
    digest = "x-amz-content-sha256"
    assert send_put(server, "s3://bucket", **KEYS).headers[digest] != "UNSIGNED-PAYLOAD"
    sent = send_put(server, "s3://bucket", unsigned_payload=True, **KEYS)
    assert sent.headers[digest] == "UNSIGNED-PAYLOAD"
    for options, unsigned in (({}, True), ({"unsigned_payload": False}, False)):
        store = open_store("s3://bucket", options={**KEYS, **options})
        assert store._clients.quick.config["unsigned_payload"] == str(unsigned).lower()


def test_further_options_reach_the_service(server):
    sent = send_put(
        server,
        "s3://bucket?region=eu-west-1",
        acl="bucket-owner-full-control",
        encryption="aws:kms",
        kms_key_id="key-1",
        requester_pays=True,
        session_token="token",
        **KEYS,
    ).headers
    assert sent["x-amz-acl"] == "bucket-owner-full-control"
    assert sent["x-amz-server-side-encryption"] == "aws:kms"
    assert sent["x-amz-server-side-encryption-aws-kms-key-id"] == "key-1"
    assert sent["x-amz-request-payer"] == "requester"
    assert sent["x-amz-security-token"] == "token"
    assert "/eu-west-1/s3/" in sent["authorization"]
    assert "x-amz-acl" in sent["authorization"]


def test_the_bucket_may_be_part_of_the_host(server):
    assert send_put(server, "s3://bucket", path_style=True, **KEYS).path == "/bucket/a"
    assert send_put(server, "s3://bucket", path_style=False, **KEYS).path == "/a"


def test_a_proxy_is_gone_through(server):
    store = open_store(
        "s3://bucket?endpoint=http://localhost:1",
        options={**KEYS, "proxy": server.url, "retries": 0},
    )
    store.put(A, b"x")
    assert server.requests[-1].path == "http://localhost:1/bucket/a"


def test_retries_are_as_many_as_wanted(server):
    server.always = Answer(503)
    for retries in (0, 1):
        server.requests.clear()
        store = open_store(f"s3://b?endpoint={server.url}", options={**KEYS, "retries": retries})
        with pytest.raises(StoreError):
            store.get(A)
        assert len(server.requests) == retries + 1


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("az://c", {"account": "lab", "account_key": "no base64: SECRET"}),
        ("gs://b", {"service_account_key": '"SECRET"'}),
        ("gs://b", {"service_account_key": '{"private_key": "SECRET", "type": 5}'}),
    ],
)
def test_a_secret_that_is_none_is_not_repeated(url, options):
    with pytest.raises(ConfigError) as caught:
        open_store(url, options=options)
    assert caught.value.kind == "option_invalid"
    assert caught.value.__cause__ is None
    assert "SECRET" not in f"{caught.value} {caught.value.hint} {caught.value.fields}"


@pytest.mark.parametrize(
    ("url", "has", "has_not"),
    [
        ("s3://b", {"create", "list", "ordered_list", "signed_url"}, {"rename", "local_path"}),
        ("s3://b--use1-az4--x-s3", {"create", "list"}, {"ordered_list"}),
        ("gs://b?anonymous=true", {"create", "list", "ordered_list"}, {"signed_url"}),
        ("az://b?account=lab", {"create", "list"}, {"ordered_list"}),
        ("https://host/a", {"multi_range"}, {"create", "list", "copy", "streaming", "sync"}),
    ],
)
def test_what_a_service_can_do_is_declared(url, has, has_not):
    options = {"account_key": AZURE_KEY} if url.startswith("az") else {}
    found = open_store(url, options=options).capabilities
    assert {Capability(word) for word in has} <= found
    assert not {Capability(word) for word in has_not} & found
