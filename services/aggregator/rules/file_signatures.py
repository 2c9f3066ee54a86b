"""What a file is by its first bytes: compressed, a container that is read, or nothing that can be a feed."""

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a file cannot be a feed: the code and the sentence that its seller reads."""

    code: str
    message: str


_WANTED = "Please send CSV, TSV, JSON Lines, a JSON array, Parquet or XLSX; gzip or zstd of these is fine."
_INSIDE = "Please send the file that is inside."

_COMPRESSIONS: tuple[tuple[re.Pattern[bytes], str], ...] = (
    (re.compile(rb"\x1f\x8b"), "gzip"),
    # A zstd file may begin with frames that hold no data.
    (re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18", re.DOTALL), "zstd"),
)
ZIP = b"PK\x03\x04"
_PARQUET = re.compile(rb"PAR1[^\n]{0,64}?[\x00-\x08\x0e-\x1f]", re.DOTALL)
"""PAR1 alone may be the name of a product; what follows it in Parquet is no text."""

SIGNATURES: tuple[tuple[re.Pattern[bytes], Refusal], ...] = (
    (re.compile(rb"PK\x05\x06"), Refusal("format/archive", f"This is an empty zip archive. {_WANTED}")),
    (re.compile(rb"BZh[1-9]1AY&SY"), Refusal("format/compressed", f"This file is bzip2-compressed. {_WANTED}")),
    (re.compile(rb"\xfd7zXZ\x00"), Refusal("format/compressed", f"This file is xz-compressed. {_WANTED}")),
    (re.compile(rb"7z\xbc\xaf\x27\x1c"), Refusal("format/archive", f"This is a 7z archive. {_INSIDE}")),
    (re.compile(rb"Rar!\x1a\x07"), Refusal("format/archive", f"This is a RAR archive. {_INSIDE}")),
    (
        re.compile(rb"\xd0\xcf\x11\xe0"),
        Refusal("format/unsupported", f"This is an old or password-protected Office document. {_WANTED}"),
    ),
    (re.compile(rb"PARE[\x00-\x1f]"), Refusal("format/unsupported", f"This is an encrypted Parquet file. {_WANTED}")),
    (re.compile(rb"%PDF-"), Refusal("format/unsupported", f"This is a PDF document. {_WANTED}")),
    (re.compile(rb"<\?xml"), Refusal("format/unsupported", f"This is an XML document. {_WANTED}")),
)

EMPTY = Refusal("format/empty_file", "The file holds no rows at all: it is empty or blank.")
BINARY = Refusal("format/binary", f"This is a binary file, not text. {_WANTED}")
ARCHIVE = Refusal("format/archive", f"This is a zip archive. {_INSIDE}")
COMPRESSED_TWICE = Refusal("format/compressed", "The file is compressed twice. Please compress it only once.")

_CONTROLS = bytes(code for code in range(32) if code not in b"\t\n\v\f\r")
"""Bytes that no text needs. In bytes at random every tenth is one, in machine code and in UTF-16 far more."""
_FEW = 8


def compression_of(head: bytes) -> str | None:
    """`gzip` or `zstd`, if a file that begins like this is compressed so."""
    return next((name for signature, name in _COMPRESSIONS if signature.match(head)), None)


def container_of(head: bytes) -> str | None:
    """`parquet` or `zip`, if a file that begins like this is one."""
    return "zip" if head.startswith(ZIP) else "parquet" if _PARQUET.match(head) else None


def refusal_for(head: bytes) -> Refusal | None:
    """Judges the beginning of a file that is neither compressed nor a container; None means that it may be text."""
    if not head:
        return EMPTY
    return next((refusal for signature, refusal in SIGNATURES if signature.match(head)), None)


def is_binary(head: bytes) -> bool:
    """Judges text in UTF-8, as far as it is text.

    A few control bytes, or many in few lines, are the fault of some rows: those are rejected, the others count.
    """
    controls = len(head) - len(head.translate(None, _CONTROLS))
    if controls < _FEW or controls * 20 < len(head):
        return False
    lines = head.splitlines()
    spoiled = sum(len(line) != len(line.translate(None, _CONTROLS)) for line in lines)
    return controls * 4 > len(head) or spoiled * 2 > len(lines)
