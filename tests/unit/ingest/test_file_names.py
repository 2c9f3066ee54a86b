"""File names: what a client may call a file, and what becomes of it."""

import unicodedata
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from python_multipart.multipart import parse_options_header

from services.ingest.rules.file_names import (
    MAX_KEY_BYTES,
    MAX_METADATA_BYTES,
    MAX_NAME_CHARACTERS,
    metadata_name,
    object_key,
    offered_name,
    shown_name,
)

FEED_ID = "0190c5c0-0000-7000-8000-000000000000"


def _offered(disposition: bytes) -> str | None:
    return offered_name(disposition, parse_options_header(disposition)[1])


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        (b'form-data; name="file"', None),
        (b'form-data; name="file"; filename=""', ""),
        (b'form-data; name="file"; filename="a b.csv"', "a b.csv"),
        (b"form-data; name=file; filename=plain.csv", "plain.csv"),
        (b'form-data; name="file"; filename="a\\"b;c.csv"', 'a"b;c.csv'),
        ('form-data; name="file"; filename="Umsätze.csv"'.encode(), "Umsätze.csv"),
        (b'form-data; name="file"; filename="Ums\xe4tze.csv"', "Umsätze.csv"),
        (b"form-data; name=\"file\"; filename*=UTF-8''Ums%C3%A4tze.csv", "Umsätze.csv"),
        (b"form-data; name=file; filename=\"x.csv\"; FileName* = iso-8859-1'de'Ums%E4tze.csv", "Umsätze.csv"),
        (b"form-data; name=file; filename=\"x.csv\"; filename*=UTF-8''%FF", "x.csv"),
        (b"form-data; name=file; filename=\"a; filename*=UTF-8''evil.csv\"", "a; filename*=UTF-8''evil.csv"),
    ],
)
def test_the_name_is_read_from_the_part_header(disposition: bytes, name: str | None) -> None:
    assert _offered(disposition) == name


@pytest.mark.parametrize(
    ("offered", "shown"),
    [
        ("sales.csv", "sales.csv"),
        (r"C:\Users\me\sales.csv", "sales.csv"),
        ("/etc/passwd", "passwd"),
        ("../../../x", "x"),
        ("..", "upload"),
        ("a/", "upload"),
        ("", "upload"),
        (" \t\n", "upload"),
        ("a\x00b\r\nc\x7f.csv", "abc.csv"),
        ("exe.\u202evsc.csv", "exe.vsc.csv"),
        ("Umsa\u0308tze.csv", "Ums\u00e4tze.csv"),
        (".csv", ".csv"),
    ],
)
def test_the_shown_name_has_no_path_and_no_tricks(offered: str, shown: str) -> None:
    assert shown_name(offered) == shown


def test_a_long_name_keeps_its_suffix() -> None:
    assert shown_name("x" * 400 + ".csv") == "x" * 251 + ".csv"
    assert shown_name("\U0001f600" * 300 + ".csv").endswith("\U0001f600.csv")


def test_the_key_avoids_what_s3_advises_against() -> None:
    assert object_key("acme", FEED_ID, 'a{b}%"c#.csv') == f"acme/{FEED_ID}/a_b___c_.csv"
    assert object_key("acme", FEED_ID, "a b+ü.csv") == f"acme/{FEED_ID}/a b+ü.csv"


@given(st.text(max_size=400), st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z"))
def test_every_name_becomes_one_safe_key_segment(offered: str, seller_id: str) -> None:
    shown = shown_name(offered)
    assert 0 < len(shown) <= MAX_NAME_CHARACTERS
    assert unicodedata.is_normalized("NFC", shown)
    metadata = metadata_name(shown)
    assert metadata.isascii()
    assert len(metadata) <= MAX_METADATA_BYTES
    assert unquote(metadata, errors="strict") == shown
    key = object_key(seller_id, FEED_ID, shown)
    assert len(key.encode()) <= MAX_KEY_BYTES
    prefix, _, segment = key.rpartition("/")
    assert prefix == f"{seller_id}/{FEED_ID}"
    assert segment.strip(". ")
    assert not any(unicodedata.category(sign) == "Cc" for sign in segment)
