"""Object stores when servers, networks and callers fail: the right error, and no rubbish."""

import os
import pickle
import subprocess
import sys
import textwrap
import threading
import time
import traceback
import urllib.request
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from itertools import pairwise
from multiprocessing import get_context

import pytest

from kist.errors import (
    AlreadyExistsError,
    ConfigError,
    NotFoundError,
    PermissionDeniedError,
    ReadOnlyError,
    StoreError,
)
from kist.model.key import Key
from kist.store.base import ByteRange, Capability
from kist.store.probe import check_create, probe_create
from kist.store.registry import open_store
from tests.servers.proxy import Answer, Proxy
from tests.servers.run import (
    KEYS,
    count_uploads,
    find_port,
    leave_clouds,
    make_bucket,
    need_packages,
    run_moto,
    s3_options,
)

A, B = Key("/a"), Key("/b/c")
PART = 5 << 20
SECRET = KEYS["secret_access_key"]


CUTS = ("cut_before", "cut_during", "cut_after")


@pytest.fixture(autouse=True)
def no_clouds(monkeypatch):
    need_packages("obstore")
    leave_clouds(monkeypatch)


@pytest.fixture
def moto():
    return run_moto()


@pytest.fixture
def bucket(moto):
    return make_bucket(moto)


@pytest.fixture
def proxy(moto):
    with Proxy(moto.port) as proxy:
        yield proxy


@pytest.fixture
def store(proxy, bucket):
    return open_s3(proxy, bucket)


@pytest.fixture
def direct(moto, bucket):
    return open_s3(moto, bucket)


def open_s3(server, bucket="bucket", **options):
    return open_store(f"s3://{bucket}/x", options=s3_options(server, part_bytes=PART, **options))


def answering(proxy, *answer):
    """Return a store on a server that always answers the same."""
    proxy.always = Answer(*answer)
    return open_s3(proxy, retries=0)


@pytest.fixture
def canned():
    with Proxy() as proxy:
        yield proxy


CALLS = {
    "get": lambda store: store.get(A),
    "find": lambda store: store.find(A, byte_range=ByteRange(0, 5)),
    "ranges": lambda store: store.get_ranges(A, [ByteRange(0, 5), ByteRange(-1)]),
    "iter": lambda store: list(store.iter_bytes(A)),
    "stat": lambda store: store.stat(A),
    "put": lambda store: store.put(A, b"x"),
    "create": lambda store: store.put(A, b"x", mode="create"),
    "stream": lambda store: store.put(A, iter([bytes(PART)] * 5)),
    "large": lambda store: store.put(A, bytes(5 * PART)),
    "delete": lambda store: store.delete([A, B]),
    "list": lambda store: list(store.iter_stats()),
    "children": lambda store: list(store.iter_children()),
    "copy": lambda store: store.copy(A, B),
}
ANY_CALL = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)


def caught_by(call, store, *expected):
    with pytest.raises(expected) as caught:
        call(store)
    text = "".join(traceback.format_exception(caught.value)) + repr(caught.value.to_dict())
    assert SECRET not in text
    assert caught.value.hint
    return caught.value


# What a server answers


@ANY_CALL
def test_a_server_that_is_not_there(call):
    store = open_store(
        f"s3://bucket?endpoint=http://127.0.0.1:{find_port()}",
        options={**KEYS, "region": "us-east-1", "retries": 0},
    )
    error = caught_by(call, store, StoreError)
    assert (error.kind, error.retryable) == ("unreachable", True)
    assert "Connection refused" in str(error)


def test_a_host_without_an_address():
    store = open_store(
        "s3://bucket?endpoint=https://nowhere.invalid", options={**KEYS, "retries": 0}
    )
    error = caught_by(CALLS["get"], store, StoreError)
    assert (error.kind, error.retryable) == ("unreachable", True)


def test_a_server_that_speaks_no_tls(moto):
    store = open_store(
        f"s3://bucket?endpoint={moto.url.replace('http', 'https')}", options={**KEYS, "retries": 0}
    )
    error = caught_by(CALLS["get"], store, StoreError)
    assert (error.kind, error.retryable) == ("encryption_failed", False)
    assert "http" in error.hint


@ANY_CALL
def test_a_bucket_that_is_not_there(moto, call):
    error = caught_by(call, open_s3(moto, "nobucket"), NotFoundError)
    assert error.kind == "bucket_missing"
    assert "s3://nobucket" in str(error)


@ANY_CALL
def test_wrong_credentials(canned, call):
    store = answering(canned, 403, "InvalidAccessKeyId")
    assert caught_by(call, store, PermissionDeniedError).kind == "credentials_refused"


@pytest.mark.parametrize("name", ["get", "stat", "list"])
@pytest.mark.parametrize(
    "answer", [(403, "SignatureDoesNotMatch"), (400, "ExpiredToken"), (401, "Other")]
)
def test_credentials_that_are_not_or_no_longer_right(canned, name, answer):
    store, call = answering(canned, *answer), CALLS[name]
    assert caught_by(call, store, PermissionDeniedError).kind == "credentials_refused"


def test_no_credentials(canned):
    canned.always = Answer(404)
    client = pytest.importorskip("kist.store.object_client")
    store = open_store(f"s3://bucket?endpoint={canned.url}", options={"retries": 0})
    plain = client.S3Store(
        "bucket",
        config={"endpoint": canned.url, "metadata_endpoint": canned.url},
        client_options={"allow_http": True},
        retry_config={"max_retries": 0},
    )
    store._made.quick = plain
    error = caught_by(CALLS["get"], store, PermissionDeniedError)
    assert error.kind == "credentials_missing"
    assert "anonymous=True" in error.hint


@ANY_CALL
def test_no_access(canned, call):
    error = caught_by(call, answering(canned, 403, "AccessDenied"), PermissionDeniedError)
    assert error.kind == "access_denied"
    assert "403 Forbidden" in str(error)


def test_reading_without_the_right_to_list(proxy, bucket, direct):
    direct.put(A, b"x")
    proxy.select = lambda request: "list-type" in request.path
    proxy.always = Answer(403, "AccessDenied")
    store = open_s3(proxy, bucket)
    assert store.get(A) == b"x"
    error = caught_by(CALLS["list"], store, PermissionDeniedError)
    assert "list" in error.hint


@pytest.mark.parametrize("answer", [(500, "InternalError"), (429,), (502,), (408,)])
def test_a_server_that_may_recover(canned, answer):
    error = caught_by(CALLS["put"], answering(canned, *answer), StoreError)
    assert (error.kind, error.retryable) == ("busy", True)


@pytest.mark.parametrize("answer", [(301,), (400, "AuthorizationHeaderMalformed")])
def test_another_region(canned, answer):
    error = caught_by(CALLS["get"], answering(canned, *answer), ConfigError)
    assert error.kind == "region_wrong"
    assert "region=" in error.hint


@ANY_CALL
def test_a_busy_server(canned, call):
    error = caught_by(call, answering(canned, 503, "SlowDown"), StoreError)
    assert (error.kind, error.retryable) == ("busy", True)
    assert (error.fields["status"], error.fields.get("code")) == (
        ("503", "SlowDown") if call not in (CALLS["stat"], CALLS["ranges"]) else ("503", None)
    )


def test_a_server_without_room(canned):
    error = caught_by(CALLS["put"], answering(canned, 507, "InsufficientStorage"), StoreError)
    assert (error.kind, error.retryable) == ("disk_full", False)


def test_an_answer_nobody_expects(canned):
    error = caught_by(CALLS["put"], answering(canned, 418, "Teapot"), StoreError)
    assert (error.kind, error.retryable) == ("refused", False)
    assert "418" in str(error)
    assert error.fields["code"] == "Teapot"


def test_a_key_that_reads_like_an_error_is_only_missing(direct):
    for text in ("/NoSuchBucket", "/status code: 403", "/kind: Timeout"):
        assert direct.find(Key(text)) is None
        assert Key(text) not in direct


def test_a_server_that_answers_ranges_with_the_whole(canned):
    canned.always = Answer(200, "x", (("Last-Modified", "Fri, 02 Jan 2026 00:00:00 GMT"),))
    store = open_s3(canned, retries=0)
    error = caught_by(CALLS["find"], store, StoreError)
    assert error.kind == "ranges_ignored"


def test_an_object_that_has_no_key(direct, moto, bucket):
    direct.put(A, b"x")
    url = f"{moto.url}/{bucket}/x/foreign//object"
    urllib.request.urlopen(urllib.request.Request(url, method="PUT", data=b"x")).close()
    error = caught_by(CALLS["list"], direct, StoreError)
    assert error.kind == "name_foreign"


# What the network does


BUSY = Answer(503, "SlowDown")
LARGE = {"stream", "large"}
SMALL = sorted({*CALLS} - {"create", *LARGE})


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        *((name, fault) for name in SMALL for fault in (BUSY, *CUTS)),
        *((name, fault) for name in sorted(LARGE) for fault in (BUSY, "cut_during")),
    ],
)
def test_what_may_be_sent_again_is_sent_again(proxy, store, direct, name, fault):
    direct.put(A, b"x" * 100_000)
    if name in LARGE:
        proxy.select = lambda request: "partNumber=2" in request.path
    proxy.plan(fault)
    CALLS[name](store)
    assert not proxy.faults
    if name in LARGE:
        assert direct.get(A) == bytes(5 * PART)


@pytest.mark.parametrize("fault", CUTS)
@pytest.mark.parametrize("size", [1, 200_000])
def test_a_create_whose_answer_is_lost_is_there_or_not(proxy, bucket, direct, fault, size):
    proxy.plan(fault)
    error = caught_by(
        lambda store: store.put(A, b"y" * size, mode="create"),
        open_s3(proxy, bucket, retries=0),
        StoreError,
    )
    assert (error.kind, error.retryable) == ("connection_lost", True)
    assert (A in direct) == (fault == "cut_after")


@pytest.mark.parametrize("fault", [*CUTS, BUSY])
def test_a_create_that_is_sent_again_knows_itself(proxy, store, direct, fault):
    proxy.plan(fault)
    store.put(A, b"y", mode="create")
    assert direct.get(A) == b"y"


@pytest.mark.parametrize("fault", ["cut_before", BUSY])
def test_a_create_that_is_sent_again_does_not_take_others_for_itself(proxy, store, direct, fault):
    direct.put(A, b"y", mode="create")
    proxy.plan(fault)
    with pytest.raises(AlreadyExistsError):
        store.put(A, b"y", mode="create")
    direct.put(B, b"y")
    proxy.plan(fault)
    with pytest.raises(AlreadyExistsError):
        store.put(B, b"y", mode="create")


def test_an_answer_that_ends_early_is_asked_for_again(proxy, store, direct):
    data = os.urandom(300_000)
    direct.put(A, data)
    for read in (store.get, lambda key: b"".join(store.iter_bytes(key))):
        proxy.plan("cut_answer")
        assert read(A) == data
        assert not proxy.faults


@pytest.mark.parametrize("name", ["get", "put", "create", "list"])
def test_a_server_that_does_not_answer(proxy, bucket, name):
    store = open_s3(proxy, bucket, timeout_s=0.3, retries=0)
    proxy.hang_s = 3
    proxy.plan("hang")
    begin = time.monotonic()
    error = caught_by(CALLS[name], store, StoreError)
    assert (error.kind, error.retryable) == ("timeout", True)
    assert time.monotonic() - begin < 2
    assert "timeout_s" in error.hint


def test_a_slow_answer_is_waited_for(proxy, store, direct):
    direct.put(A, b"x")
    proxy.hang_s = 0.3
    proxy.plan("hang")
    assert store.get(A) == b"x"


def test_an_object_replaced_while_it_is_read_is_no_mixture(direct):
    direct.put(A, b"a" * (20 << 20))
    pieces = direct.iter_bytes(A)
    assert next(pieces)[:1] == b"a"
    direct.put(A, b"b" * (20 << 20))
    with pytest.raises(StoreError) as caught:
        assert set(b"".join(pieces)) == {ord("a")}
    assert (caught.value.kind, caught.value.retryable) == ("changed_meanwhile", True)


# Creating


def test_s3_asking_for_a_repeat_does_not_mean_that_the_object_exists(proxy, store, direct):
    conflict = Answer(409, "ConditionalRequestConflict")
    proxy.select = lambda request: request.method == "PUT"
    proxy.plan(conflict, conflict)
    store.put(A, b"x", mode="create")
    assert direct.get(A) == b"x"
    proxy.plan(conflict)
    with pytest.raises(AlreadyExistsError):
        store.put(A, b"y", mode="create")
    proxy.always = conflict
    error = caught_by(lambda store: store.put(B, b"y", mode="create"), store, StoreError)
    assert (error.kind, error.retryable) == ("busy", True)


def test_a_stream_too_long_to_be_created_is_refused_and_read_no_further(direct, moto, bucket):
    asked = []

    def pieces():
        for number in range(100):
            asked.append(number)
            yield bytes(PART)

    error = caught_by(lambda store: store.put(A, pieces(), mode="create"), direct, StoreError)
    assert (error.kind, error.retryable) == ("stream_too_long", False)
    assert len(asked) == 5
    assert A not in direct
    direct.put(A, iter([bytes(PART)] * 4), mode="create")
    assert direct.stat(A).size_bytes == 4 * PART
    direct.put(B, bytes(5 * PART), mode="create")
    assert count_uploads(moto, bucket) == 0


# Streams in parts


def test_a_long_stream_goes_up_in_parts_and_comes_back(proxy, store, direct):
    data = os.urandom(5 * PART + 12345)
    cuts = [0, 1, 100, 3_000_000, 3_000_001, 17_000_000, len(data)]
    pieces = [data[start:stop] for start, stop in pairwise(cuts)]
    store.put(A, iter(pieces))
    assert direct.get(A) == data
    parts = [one for one in proxy.requests if "partNumber" in one.path]
    assert len(parts) == 6
    assert b"".join(store.iter_bytes(A)) == data
    assert store.get(A, byte_range=ByteRange(3_000_000, 20_000_000)) == data[3_000_000:20_000_000]


def test_what_fits_is_sent_by_one_request(proxy, store):
    for data in (b"x" * 100, iter([b"x" * 100] * 3), bytes(4 * PART), iter([bytes(PART)] * 4)):
        proxy.requests.clear()
        store.put(A, data)
        assert [one.method for one in proxy.requests] == ["PUT"]


def test_the_memory_of_a_long_stream_is_bounded(store):
    """The source never gets far ahead of what the server has."""
    held, most = [], 0

    class Piece(bytearray):
        def __del__(self):
            held.pop()

    def pieces():
        nonlocal most
        for _ in range(10):
            held.append(None)
            yield Piece(PART)
            most = max(most, len(held))

    store.put(A, pieces())
    assert most <= 2
    assert store.stat(A).size_bytes == 10 * PART


@pytest.mark.parametrize("error", [ValueError("broke"), KeyboardInterrupt(), OSError(5, "broke")])
def test_a_source_that_fails_leaves_no_parts(direct, moto, bucket, error):
    def pieces():
        for _ in range(6):
            yield bytes(PART)
        raise error

    direct.put(A, b"old")
    with pytest.raises(type(error)) as caught:
        direct.put(A, pieces())
    assert caught.value is error
    assert direct.get(A) == b"old"
    assert count_uploads(moto, bucket) == 0


@pytest.mark.parametrize("name", ["stream", "large"])
def test_a_part_that_fails_takes_the_others_back(proxy, bucket, moto, direct, name):
    proxy.select = lambda request: "partNumber=2" in request.path
    proxy.always = Answer(403, "AccessDenied")
    store = open_s3(proxy, bucket, retries=0)
    error = caught_by(CALLS[name], store, PermissionDeniedError)
    assert error.kind == "access_denied"
    assert A not in direct
    assert count_uploads(moto, bucket) == 0


def test_a_source_may_itself_read_from_an_object_store(direct):
    direct.put(B, b"b" * 100)

    def pieces():
        for _ in range(5):
            yield direct.get(B) + bytes(PART)

    direct.put(A, pieces())
    assert direct.stat(A).size_bytes == 5 * (PART + 100)
    direct.put(A, direct.iter_bytes(A))
    assert direct.stat(A).size_bytes == 5 * (PART + 100)


def test_threads_end_with_their_upload(direct):
    before = threading.active_count()
    direct.put(A, iter([bytes(PART)] * 5))
    with pytest.raises(ZeroDivisionError):
        direct.put(A, (bytes(PART // (4 - number)) for number in range(5)))
    assert threading.active_count() == before


# Processes

FORK = """
    import os, pickle, signal, sys
    from kist.errors import StoreError
    from kist.model.key import Key
    from kist.store.registry import open_store

    url, options = pickle.loads(bytes.fromhex(sys.argv[1]))
    store = open_store(url, options=options)
    store.put(Key("/a"), b"x")
    text = pickle.dumps(store)
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        status = 0
        for call in (
            lambda: store.get(Key("/a")),
            lambda: store.put(Key("/a"), b"y"),
            lambda: store.stat(Key("/a")),
            lambda: list(store.iter_stats()),
            lambda: store.delete(Key("/a")),
            lambda: store.put(Key("/a"), iter([bytes(5 << 20)] * 30)),
            lambda: pickle.loads(text).get(Key("/a")),
            lambda: open_store(url, options=options).get(Key("/a")),
        ):
            try:
                call()
                status = 3
            except StoreError as error:
                if error.kind != "forked" or "spawn" not in error.hint:
                    status = 4
        os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert store.get(Key("/a")) == b"x"
    sys.exit(status if status >= 0 else 100 - status)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_a_forked_child_is_told_so_and_never_hangs(moto, bucket):
    given = pickle.dumps((f"s3://{bucket}/x", s3_options(moto))).hex()
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(FORK), given],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def use_in_worker(store):
    store.put(B, b"from a worker")
    return store.get(A), store.url


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_a_pickled_store_works_in_another_process(direct, method):
    direct.put(A, b"x")
    with ProcessPoolExecutor(1, mp_context=get_context(method)) as pool:
        assert pool.submit(use_in_worker, direct).result(timeout=60) == (b"x", direct.url)
    assert direct.get(B) == b"from a worker"


def test_secrets_are_nowhere_to_be_seen(direct):
    shown = [repr(direct), str(direct), direct.url, repr(direct._place), repr(direct._names)]
    assert not any(SECRET in text or KEYS["access_key_id"] in text for text in shown)
    again = pickle.loads(pickle.dumps(direct))
    assert repr(again) == repr(direct)


# Lying servers


def new_id():
    return os.urandom(8).hex()


@pytest.mark.parametrize(
    ("mode", "problem"),
    [
        ("ignoring", "created the same object"),
        ("racing", "created the same object"),
        ("stale", "not there right after"),
    ],
)
def test_the_probe_sees_through_servers_that_lie(tmp_path, mode, problem):
    server = run_moto(mode)
    store = open_s3(server, make_bucket(server))
    with pytest.raises(ConfigError) as caught:
        check_create(store, cache_dir=tmp_path, new_id=new_id, now=datetime.now(UTC))
    assert caught.value.kind == "create_not_atomic"
    assert problem in str(caught.value)
    assert list(store.iter_stats()) == []


def test_the_probe_believes_a_server_that_keeps_its_word(direct):
    result = probe_create(direct, rounds=12, workers=12, new_id=new_id)
    assert (result.is_atomic, result.unclear) == (True, 0)
    assert list(direct.iter_stats()) == []


def test_the_probe_takes_lost_answers_for_no_lies(proxy, store):
    proxy.select = lambda request: request.method == "PUT"
    proxy.plan(*["cut_after", "cut_before", None] * 10)
    assert probe_create(store, rounds=5, workers=6, new_id=new_id).is_atomic


# The web


def test_a_bucket_is_read_through_the_web(moto, bucket):
    direct = open_s3(moto, bucket, acl="public-read")
    data = os.urandom(100_000)
    for key, value in ((A, data), (B, b"b"), (Key("/a b/.."), b"odd"), (Key("/empty"), b"")):
        direct.put(key, value)
    web = open_store(f"{moto.url}/{bucket}/x")
    assert web.url == f"{moto.url}/{bucket}/x"
    assert web.get(A) == data == b"".join(web.iter_bytes(A, chunk_bytes=1000))
    assert web.get(Key("/a b/..")) == b"odd"
    assert web.get(A, byte_range=ByteRange(10, 20)) == data[10:20]
    assert web.get(A, byte_range=ByteRange(-7)) == data[-7:]
    assert web.get_ranges(A, [ByteRange(5, 9), ByteRange(90_000)]) == [data[5:9], data[90_000:]]
    assert web.stat(A).size_bytes == 100_000
    assert web.get(Key("/empty")) == b""
    assert web.find(Key("/none")) is None
    assert Key("/none") not in web
    assert web.capabilities == {Capability.MULTI_RANGE}
    for call in (CALLS["put"], CALLS["create"], CALLS["stream"], CALLS["delete"]):
        assert caught_by(call, web, ReadOnlyError).kind == "store_read_only"
    for call in (CALLS["list"], CALLS["children"], CALLS["copy"]):
        assert caught_by(call, web, StoreError).kind == "capability_missing"
    other = pickle.loads(pickle.dumps(web))
    assert other.get(B) == b"b"


def test_a_signed_url_lets_others_read(direct):
    direct.put(A, b"signed")
    with urllib.request.urlopen(direct.signed_url(A, valid_s=60)) as answer:
        assert answer.read() == b"signed"
    url = direct.signed_url(B, method="put")
    headers = {"Content-Type": "application/octet-stream"}
    request = urllib.request.Request(url, method="PUT", data=b"put", headers=headers)
    urllib.request.urlopen(request).close()
    assert direct.get(B) == b"put"
