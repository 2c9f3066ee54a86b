"""What one pass over a file's bytes can tell: that it is valid UTF-8, how many lines it has, and how they end."""

import codecs
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from services.aggregator.adapters.utf8_blocks import decode_block

_BLOCK_BYTES = 1 << 20
_TAIL_BYTES = 1 << 16
_NONCHARACTERS = b"\xef\xb7"


@dataclass(frozen=True, slots=True)
class TextFacts:
    """`lines`: without blank ones at the file's end. `line_end`: that of every line, None if they differ.

    `is_plain`: neither NUL nor a noncharacter is in it.
    """

    lines: int
    line_end: bytes | None
    is_plain: bool


def text_facts(path: Path, told: Callable[[int], None]) -> TextFacts:
    """Reads `path` once. Raises UnreadableFeed, with the offset, where it is no UTF-8. `told` hears bytes read."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    feeds = returns = pairs = offset = 0
    is_plain = True
    last = b""
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            feeds += block.count(b"\n")
            if b"\r" in block:
                returns += block.count(b"\r")
                pairs += block.count(b"\r\n")
            pairs += last == b"\r" and block.startswith(b"\n")
            is_ascii = block.isascii()
            if not is_ascii or decoder.getstate()[0]:
                decode_block(decoder, block, offset, "utf-8")
            is_plain = is_plain and b"\0" not in block and (is_ascii or _NONCHARACTERS not in last + block)
            last = block[-1:]
            offset += len(block)
            told(offset)
        decode_block(decoder, b"", offset, "utf-8")
        file.seek(max(0, offset - _TAIL_BYTES))
        tail = file.read()
    line_end = b"\n" if not returns else b"\r\n" if returns == pairs == feeds else None
    blank = 0
    if line_end:
        blank = (len(tail) - len(tail.rstrip(b"\r\n"))) // len(line_end) - 1
    return TextFacts(feeds + (last not in (b"\n", b"")) - max(0, blank), line_end, is_plain)
