"""In which character set a text is: what its byte order mark says, or its sender; never a guess."""

import codecs

from services.aggregator.errors import UnreadableFeed

_MARKS: tuple[tuple[bytes, str], ...] = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # begins as UTF-16's mark does, so it is looked for first
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_NEED_A_MARK = {"utf-16": ("utf-16-le", "utf-16-be"), "utf-32": ("utf-32-le", "utf-32-be")}


def charset_of(head: bytes, declared: str | None) -> tuple[str, bytes]:
    """The codec for a text that begins with `head`, and its byte order mark (b"" without one).

    A mark wins over what the sender says: no text in another character set begins so, and a rejected.csv has one,
    whatever its feed was declared as. Raises UnreadableFeed `format/invalid_encoding` when what the sender says leaves
    the order of bytes open; `format/unsupported` for UTF-32 that nobody declared.
    """
    said = codecs.lookup(declared).name if declared else None
    said = "utf-8" if said == "utf-8-sig" else said
    marked = next((known for known in _MARKS if head.startswith(known[0])), None)
    if marked is None:
        return _unmarked(head, said), b""
    mark, encoding = marked
    if encoding.startswith("utf-32") and not said:
        message = "This file is UTF-32 text. Please send UTF-8, or give the charset."
        raise UnreadableFeed("format/unsupported", message)
    return encoding, mark


def _unmarked(head: bytes, said: str | None) -> str:
    if said is None:
        return "utf-8"
    if said not in _NEED_A_MARK:
        return said
    little, big = _NEED_A_MARK[said]
    # Nearly every feed has characters of one byte at its beginning: their zeros tell the order.
    width = 2 if said == "utf-16" else 4
    first, last = 0 in head[::width], 0 in head[width - 1 :: width]
    if first == last:
        message = (
            f"The file has no byte order mark, and {said.upper()} leaves the order of bytes open: "
            f"give {little} or {big} as its charset."
        )
        raise UnreadableFeed("format/invalid_encoding", message)
    return big if first else little
