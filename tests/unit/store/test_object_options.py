"""URLs and options of object stores: read strictly, shown without secrets."""

import pytest

from kist.errors import ConfigError, InvalidInputError
from kist.store.object_options import OPTIONS, list_options, parse_place


@pytest.mark.parametrize(
    ("url", "provider", "bucket", "prefix"),
    [
        ("s3://bucket", "s3", "bucket", ""),
        ("s3://bucket/", "s3", "bucket", ""),
        ("s3://my.bucket-1/a/b/", "s3", "my.bucket-1", "a/b"),
        ("S3://bucket/A", "s3", "bucket", "A"),
        ("gs://bucket/a%20b", "gs", "bucket", "a b"),
        ("az://container/t%C3%A5g", "az", "container", "tåg"),
        ("azure://container/x", "az", "container", "x"),
        ("http://127.0.0.1:8000/a", "http", "127.0.0.1:8000", "a"),
        ("https://example.org/a/b", "http", "example.org", "a/b"),
        ("https://[::1]:443/a", "http", "[::1]:443", "a"),
    ],
)
def test_a_url_names_provider_bucket_and_prefix(url, provider, bucket, prefix):
    place = parse_place(url)
    assert (place.provider, place.bucket, place.prefix) == (provider, bucket, prefix)
    assert parse_place(place.url) == place


@pytest.mark.parametrize(
    "url",
    [
        "s3://",
        "s3:///a",
        "s3://bucket:80/a",
        "s3://buck et/a",
        "s3://bucket/a//b",
        "s3://bucket/a/../b",
        "s3://bucket/./b",
        "s3://bucket/a%2F%2Fb",
        "s3://bucket/a%0Ab",
        "s3://bucket/a#b",
        "https://",
        "ftp://host/a",
    ],
)
def test_a_url_that_names_no_place_is_refused(url):
    with pytest.raises(InvalidInputError) as caught:
        parse_place(url)
    assert caught.value.kind == "url_invalid"


def test_options_come_from_the_url_and_from_beside_it():
    place = parse_place(
        "s3://b/x?region=eu-west-1&path_style=false&timeout_s=1.5&retries=3&part_bytes=6000000",
        {"region": "eu-central-1", "anonymous": True, "profile": None, "connect_timeout_s": 2},
    )
    assert place.options == {
        "region": "eu-central-1",
        "path_style": False,
        "timeout_s": 1.5,
        "retries": 3,
        "part_bytes": 6_000_000,
        "anonymous": True,
        "connect_timeout_s": 2.0,
    }
    assert place.url == "s3://b/x?anonymous=true&path_style=false&region=eu-central-1"


def test_the_url_leads_to_the_same_server():
    place = parse_place("s3://b", {"endpoint": "http://127.0.0.1:9000", "secret_access_key": "s"})
    assert place.url == "s3://b?endpoint=http://127.0.0.1:9000"
    assert parse_place(place.url).options == {"endpoint": "http://127.0.0.1:9000"}


@pytest.mark.parametrize(
    ("url", "options", "kind"),
    [
        ("s3://b?colour=red", {}, "option_unknown"),
        ("s3://b", {"colour": "red"}, "option_unknown"),
        ("s3://b", {"account": "a"}, "option_unknown"),
        ("https://host/a", {"region": "x"}, "option_unknown"),
        ("s3://b?retries=many", {}, "option_invalid"),
        ("s3://b?retries=", {}, "option_invalid"),
        ("s3://b?retries=-1", {}, "option_invalid"),
        ("s3://b?timeout_s=nan", {}, "option_invalid"),
        ("s3://b?anonymous=perhaps", {}, "option_invalid"),
        ("s3://b", {"retries": True}, "option_invalid"),
        ("s3://b", {"retries": 1.5}, "option_invalid"),
        ("s3://b", {"region": 3}, "option_invalid"),
        ("s3://b", {"region": ""}, "option_invalid"),
        ("s3://b", {"anonymous": "true"}, "option_invalid"),
        ("s3://b", {"part_bytes": 1000}, "option_invalid"),
        ("s3://b", {"endpoint": "127.0.0.1:9000"}, "option_invalid"),
        ("s3://b", {"endpoint": "https://host?x=1"}, "option_invalid"),
        ("s3://b", {"endpoint": "http://host:9000"}, "http_not_allowed"),
        ("az://b", {"endpoint": "http://10.0.0.1/a"}, "http_not_allowed"),
        ("s3://b?secret_access_key=SECRET", {}, "secret_in_url"),
        ("s3://b?session_token=SECRET", {}, "secret_in_url"),
        ("az://b?sas_token=SECRET", {}, "secret_in_url"),
        ("s3://b?proxy=http://u:SECRET@host", {}, "secret_in_url"),
        ("s3://KEY:SECRET@b/x", {}, "secret_in_url"),
        ("https://user:SECRET@host/x", {}, "secret_in_url"),
        ("s3://b", {"endpoint": "https://user:SECRET@host"}, "secret_in_url"),
    ],
)
def test_wrong_options_are_refused_and_secrets_never_repeated(url, options, kind):
    with pytest.raises(ConfigError) as caught:
        parse_place(url, options)
    assert caught.value.kind == kind
    assert caught.value.hint
    assert "SECRET" not in f"{caught.value} {caught.value.hint} {caught.value.fields}"


def test_a_value_that_may_be_a_secret_is_not_repeated():
    with pytest.raises(ConfigError) as caught:
        parse_place("s3://b", {"secret_access_key": b"SECRET"})
    assert "SECRET" not in f"{caught.value} {caught.value.hint} {caught.value.fields}"


def test_a_misspelt_option_is_guessed():
    with pytest.raises(ConfigError) as caught:
        parse_place("s3://b?regoin=eu")
    assert "'region'" in caught.value.hint


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:1", "http://localhost:1", "http://[::1]:1"])
def test_this_machine_may_be_reached_without_encryption(endpoint):
    assert parse_place("s3://b", {"endpoint": endpoint}).is_plain_http
    far = {"endpoint": "http://host:9000", "allow_http": True}
    assert parse_place("s3://b", far).is_plain_http
    assert not parse_place("s3://b").is_plain_http


@pytest.mark.parametrize("provider", ["s3", "gs", "az", "http"])
def test_no_secret_is_shown(provider):
    scheme = "https" if provider == "http" else provider
    options = {
        name: "SECRET"
        for name in list_options(provider)
        if OPTIONS[name].is_secret and OPTIONS[name].type is str
    }
    place = parse_place(f"{scheme}://place/x", options)
    assert "SECRET" not in f"{place!r} {place.url}"
    assert dict(place.options) == options


def test_what_sounds_like_a_secret_is_one():
    for name, option in OPTIONS.items():
        sounds = any(word in name for word in ("secret", "token", "access_key", "account_key"))
        assert option.is_secret or not sounds, name
        assert not (option.is_secret and option.is_address), name
