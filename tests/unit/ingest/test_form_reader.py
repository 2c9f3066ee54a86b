"""The multipart reader: every way of cutting a body into chunks reads the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.errors import BrokenMultipart, InvalidField, NotMultipart, UploadRefused
from services.ingest.rules.form_reader import (
    MAX_FIELD_BYTES,
    MAX_PARTS,
    Field,
    FileBytes,
    FileEnded,
    FileStarted,
    FormReader,
    boundary_of,
)
from tests.unit.ingest.multipart_bodies import BOUNDARY, body, cut, field, file

Read = list[tuple[str, str] | tuple[str, str, bytes]]

boundaries = st.text("abcXYZ019'()+_,-./:=?", min_size=1, max_size=70).map(str.encode)
chunk_sizes = st.lists(st.integers(1, 40), min_size=1, max_size=8)
# Bytes that look like the edge of a part are where a parser goes wrong.
contents = st.lists(
    st.one_of(st.binary(max_size=30), st.sampled_from([b"\r", b"\n", b"\r\n", b"-", b"--", b"\r\n-", b"\r\n--"])),
    max_size=12,
).map(b"".join)


def _read(chunks: list[bytes], boundary: bytes = BOUNDARY) -> Read:
    """Fields and files in order; a file's pieces joined."""
    reader = FormReader(boundary)
    read: Read = []
    started = FileStarted("", "")
    content = b""
    for chunk in chunks:
        for event in reader.feed(chunk):
            match event:
                case Field(name, value):
                    read.append((name, value))
                case FileStarted():
                    started, content = event, b""
                case FileBytes(data):
                    content += bytes(data)
                case FileEnded():
                    read.append((started.field_name, started.offered_name, content))
    reader.finish()
    return read


def _outcome(chunks: list[bytes], boundary: bytes = BOUNDARY) -> Read | type[UploadRefused]:
    try:
        return _read(chunks, boundary)
    except UploadRefused as error:
        return type(error)


@given(boundaries, contents, st.text(max_size=20), chunk_sizes)
def test_what_was_written_is_read_however_it_is_cut(
    boundary: bytes, content: bytes, value: str, sizes: list[int]
) -> None:
    if b"\r\n--" + boundary in b"\r\n" + content + b"\r\n" + value.encode():
        return  # RFC 2046: the boundary must not occur in a part
    whole = body(field("seller_id", value), file(content), field("feed_type", "x"), boundary=boundary)
    assert _read(list(cut(whole, sizes)), boundary) == [
        ("seller_id", value),
        ("file", "sales.csv", content),
        ("feed_type", "x"),
    ]


@given(contents, contents, chunk_sizes, st.integers(0, 400))
def test_a_wrong_body_is_wrong_however_it_is_cut(first: bytes, second: bytes, sizes: list[int], at: int) -> None:
    whole = body(field("seller_id", first), file(second))
    damaged = whole[:at] + first + whole[at + 3 :]
    assert _outcome(list(cut(damaged, sizes))) == _outcome([damaged])


@given(st.binary(max_size=200), chunk_sizes)
def test_noise_is_refused_and_nothing_worse(noise: bytes, sizes: list[int]) -> None:
    outcome = _outcome(list(cut(noise, sizes)))
    assert outcome in (BrokenMultipart, InvalidField) or isinstance(outcome, list)


@pytest.mark.parametrize("end", range(1, len(body(file(b"a,1\n"))) - 4))
def test_a_body_that_stops_early_is_broken(end: int) -> None:
    with pytest.raises(BrokenMultipart):
        _read([body(file(b"a,1\n"))[:end]])


@pytest.mark.parametrize(
    ("part", "refusal"),
    [
        (b"Content-Type: text/csv\r\n\r\nx", BrokenMultipart),
        (b"Content-Disposition: attachment; name=file\r\n\r\nx", BrokenMultipart),
        (b"Content-Disposition: form-data\r\n\r\nx", BrokenMultipart),
        (b"Content-Disposition: form-data; name=a\r\nContent-Disposition: form-data; name=b\r\n\r\nx", BrokenMultipart),
        (b"Content-Transfer-Encoding: base64\r\n" + file(b"eA=="), BrokenMultipart),
        (b"".join(b"X-%d: y\r\n" % number for number in range(9)) + file(b"x"), BrokenMultipart),
        (b"X: " + b"y" * 9_000 + b"\r\n" + file(b"x"), BrokenMultipart),
        (field("seller_id", b"\xff"), InvalidField),
        (field("seller_id", b"x" * (MAX_FIELD_BYTES + 1)), InvalidField),
    ],
)
def test_a_part_that_breaks_the_rules_is_refused(part: bytes, refusal: type[UploadRefused]) -> None:
    assert _outcome([body(part)]) is refusal


def test_the_number_of_parts_is_bounded() -> None:
    assert isinstance(_outcome([body(*[field("a", "b")] * MAX_PARTS)]), list)
    assert _outcome([body(*[field("a", "b")] * (MAX_PARTS + 1))]) is BrokenMultipart


def test_events_before_an_error_are_not_lost() -> None:
    events = FormReader(BOUNDARY).feed(
        b"--" + BOUNDARY + b"\r\n" + field("a", "b") + b"\r\n--" + BOUNDARY + b"\r\n:\r\n"
    )
    assert next(events) == Field("a", "b")
    with pytest.raises(BrokenMultipart):
        next(events)


def test_a_file_part_needs_no_file_name_but_a_file_name_makes_a_file() -> None:
    assert _read([body(field("file", "a"))]) == [("file", "", b"a")]
    assert _read([body(file(b"a", 'form-data; name="seller_id"; filename="b"'))]) == [("seller_id", "b", b"a")]


def test_the_content_type_header_names_the_boundary() -> None:
    assert boundary_of('Multipart/Form-Data; charset=utf-8; boundary="a b"') == b"a b"
    for not_multipart in (None, "", "text/csv", "multipart/mixed; boundary=a"):
        with pytest.raises(NotMultipart):
            boundary_of(not_multipart)
    with pytest.raises(BrokenMultipart):
        boundary_of("multipart/form-data")
    with pytest.raises(BrokenMultipart):
        FormReader(b"x" * 300)
