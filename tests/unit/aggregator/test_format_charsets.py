"""Character sets: the byte order mark's, the declared one, or UTF-8; never a guess, never a replaced character."""

import pytest

from services.aggregator.adapters.utf8_blocks import BLOCK_BYTES
from tests.unit.aggregator.feed_readings import Read, refusal

HEADER = "product_name,quantity,amount\n"


@pytest.mark.parametrize(
    ("charset", "name", "told"),
    [
        ("latin-1", "Café", "iso8859-1"),
        ("windows-1252", "Café – 5 €", "cp1252"),
        ("shift_jis", "表示 ソ", "shift_jis"),
        ("euc_jp", "日本", "euc_jp"),
        ("iso2022_jp", "日本", "iso2022_jp"),
        ("gb18030", "日本 🎽", "gb18030"),
        ("big5", "中文", "big5"),
        ("utf-7", "日本", "utf-7"),
        ("cp037", "Shirt", "cp037"),
        ("utf-16-le", "Café 🎽", "utf-16-le"),
        ("utf-16-be", "Café 🎽", "utf-16-be"),
        ("utf-32-le", "Café 🎽", "utf-32-le"),
        ("ascii", "Shirt", "ascii"),
        ("utf-8", "Café", "utf-8"),
        ("utf-8-sig", "Café", "utf-8"),
    ],
)
@pytest.mark.parametrize("header", ["", HEADER])
def test_a_declared_charset_is_read(read: Read, charset: str, name: str, told: str, header: str) -> None:
    # Enough rows that characters lie across the borders of blocks.
    rows = 60_000
    text = header + f"{name},1,2{'' if header else ',2'}\n" * rows
    reading = read(text.encode(charset), charset=charset)
    assert reading.recognised.charset == told
    assert [(c.product_name, c.transactions) for c in reading.contributions] == [(name, rows)]
    assert reading.issues == []


@pytest.mark.parametrize(
    ("charset", "good", "bad", "at"),
    [
        ("cp1252", b"A,1,2,2\n", b"A\x81,1,2,2\n", 1),
        ("ascii", b"A,1,2,2\n", b"A\xe9,1,2,2\n", 1),
        ("shift_jis", "表,1,2,2\n".encode("shift_jis"), b"A\x95\n,1,2,2\n", 1),
        ("euc_jp", "日,1,2,2\n".encode("euc_jp"), b"AB\xff,1,2,2\n", 2),
        ("gb18030", "日,1,2,2\n".encode("gb18030"), b"A\xff,1,2,2\n", 1),
        ("utf-8", "日,1,2,2\n".encode(), b"A\xe6\x97,1,2,2\n", 1),
        ("utf-16-le", "A,1,2,2\n".encode("utf-16-le"), b"A\0\x00\xdcB\0", 2),
        ("utf-16-be", "A,1,2,2\n".encode("utf-16-be"), b"\0A\xdc\x00\0B", 2),
    ],
)
@pytest.mark.parametrize("rows", [0, 1, BLOCK_BYTES // 8 - 1, BLOCK_BYTES // 8, BLOCK_BYTES // 4 + 3])
@pytest.mark.parametrize("shift", [0, 1])
def test_invalid_bytes_are_told_by_their_offset(
    read: Read, charset: str, good: bytes, bad: bytes, at: int, rows: int, shift: int
) -> None:
    before = "T".encode(charset) * shift + good * rows
    error = refusal(read, before + bad, charset=charset)
    assert error.code == "format/invalid_encoding"
    assert f"offset {len(before) + at} " in error.message
    assert charset.upper() in error.message


def test_text_that_ends_within_a_character_is_invalid(read: Read) -> None:
    error = refusal(read, "A,1,2,2\n日".encode("shift_jis")[:-1], charset="shift_jis")
    assert "offset 8 " in error.message


@pytest.mark.parametrize(
    ("encoding", "charset"),
    [
        ("utf-8-sig", "cp1252"),
        ("utf-8-sig", "utf-16"),
        ("utf-16-le", "utf-16-be"),
        ("utf-16-be", "utf-8"),
        ("utf-16-le", "utf-32"),
    ],
)
def test_a_mark_wins_over_the_declared_charset(read: Read, encoding: str, charset: str) -> None:
    text = "Café,1,2,2\n" if encoding == "utf-8-sig" else "\ufeffCafé,1,2,2\n"
    reading = read(text.encode(encoding), charset=charset)
    assert [c.product_name for c in reading.contributions] == ["Café"]
    assert reading.recognised.charset == encoding.removesuffix("-sig")


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_the_order_of_bytes_is_told_by_the_mark_or_by_the_zeros(read: Read, encoding: str, mark: str) -> None:
    reading = read(f"{mark}Café,1,2,2\n".encode(encoding), charset=encoding[:6])
    assert reading.recognised.charset == encoding
    assert [c.product_name for c in reading.contributions] == ["Café"]


def test_an_order_of_bytes_that_cannot_be_told_is_asked_for(read: Read) -> None:
    content = "一,1,2,2\n".encode("utf-16-le")
    error = refusal(read, content, charset="utf-16")
    assert error.code == "format/invalid_encoding"
    assert "utf-16-le or utf-16-be" in error.message
    assert [c.product_name for c in read(content, charset="utf-16-le").contributions] == ["一"]


def test_a_half_of_a_character_that_a_codec_lets_through_is_invalid(read: Read) -> None:
    assert refusal(read, b"A+2AA-,1,2,2\n", charset="utf-7").code == "format/invalid_encoding"


def test_zeros_are_no_text_in_any_charset(read: Read) -> None:
    assert refusal(read, bytes(1_000), charset="cp1252").code == "format/binary"
    assert refusal(read, bytes(range(256)) * 4, charset="latin-1").code == "format/binary"
