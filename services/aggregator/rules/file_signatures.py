"""What a file is by its first bytes, as far as that decides that it is not a feed we read."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a file cannot be a feed: the code and the sentence that its seller reads."""

    code: str
    message: str


_TEXT_WANTED = "Please send plain CSV text: UTF-8, with or without a header row."

SIGNATURES: tuple[tuple[bytes, Refusal], ...] = (
    (b"PK\x03\x04", Refusal("format/archive", f"This is a zip archive or an Excel workbook. {_TEXT_WANTED}")),
    (b"PK\x05\x06", Refusal("format/archive", f"This is an empty zip archive. {_TEXT_WANTED}")),
    (b"\x1f\x8b", Refusal("format/compressed", f"This file is gzip-compressed, which is not read yet. {_TEXT_WANTED}")),
    (b"BZh", Refusal("format/compressed", f"This file is bzip2-compressed. {_TEXT_WANTED}")),
    (b"\xfd7zXZ\x00", Refusal("format/compressed", f"This file is xz-compressed. {_TEXT_WANTED}")),
    (b"\x28\xb5\x2f\xfd", Refusal("format/compressed", f"This file is zstd-compressed. {_TEXT_WANTED}")),
    (b"7z\xbc\xaf\x27\x1c", Refusal("format/archive", f"This is a 7z archive. {_TEXT_WANTED}")),
    (b"Rar!\x1a\x07", Refusal("format/archive", f"This is a RAR archive. {_TEXT_WANTED}")),
    (b"\xd0\xcf\x11\xe0", Refusal("format/unsupported", f"This is an old Excel or Word document. {_TEXT_WANTED}")),
    (b"PAR1", Refusal("format/unsupported", f"This is a Parquet file, which is not read yet. {_TEXT_WANTED}")),
    (b"%PDF", Refusal("format/unsupported", f"This is a PDF document. {_TEXT_WANTED}")),
    (b"<?xml", Refusal("format/unsupported", f"This is an XML document. {_TEXT_WANTED}")),
)

EMPTY = Refusal("format/empty_file", "The file holds no rows at all: it is empty or blank.")
BINARY = Refusal("format/binary", f"This is a binary file, not text. {_TEXT_WANTED}")
UTF_32 = Refusal("format/unsupported", f"This file is UTF-32 text. {_TEXT_WANTED}")

_CONTROLS = bytes(code for code in range(32) if code not in b"\t\n\v\f\r")
"""Bytes that no text needs. In bytes at random every tenth is one, in machine code and in UTF-16 far more."""
_FEW = 8

_BYTE_ORDER_MARKS: tuple[tuple[bytes, str], ...] = (
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)


def refusal_for(head: bytes) -> Refusal | None:
    """Judges the first few kilobytes of a file; None means that it may be text."""
    if not head:
        return EMPTY
    for signature, refusal in SIGNATURES:
        if head.startswith(signature):
            return refusal
    if head.startswith((b"\xff\xfe\x00\x00", b"\x00\x00\xfe\xff")):
        return UTF_32
    _, mark = encoding_of(head)
    # UTF-16 text is full of zero bytes; it is told by its mark.
    return BINARY if mark == b"" and _is_binary(head) else None


def _is_binary(head: bytes) -> bool:
    """A few control bytes, or many in few lines, are the fault of some rows: those are rejected, the others count."""
    controls = len(head) - len(head.translate(None, _CONTROLS))
    if controls < _FEW or controls * 20 < len(head):
        return False
    lines = head.splitlines()
    spoiled = sum(len(line) != len(line.translate(None, _CONTROLS)) for line in lines)
    return controls * 4 > len(head) or spoiled * 2 > len(lines)


def encoding_of(head: bytes) -> tuple[str, bytes]:
    """The encoding by byte order mark (UTF-8 without one), and the mark itself."""
    for mark, encoding in _BYTE_ORDER_MARKS:
        if head.startswith(mark):
            return encoding, mark
    return "utf-8", b""
