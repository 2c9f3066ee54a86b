"""The beginning of a feed from which its layout is told: from its first written line, however late that comes."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from services.aggregator.rules.white_space import IN_BLANK_LINES

DELIMITERS = (",", ";", "\t", "|")
SAMPLE_CHARACTERS = 1 << 18

_BLANK = re.escape(IN_BLANK_LINES.replace("\n", "") + "".join(DELIMITERS))
_BLANK_LINES = re.compile(f"(?>[{_BLANK}]*+\n)*+")
_ALL_BLANK = re.compile(f"[{_BLANK}\n]*+")
_SEP_LINE = re.compile(r"sep=(.?)[\t ]*(?:\n|$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Sample:
    """`text` begins with the file's first written line, number `line`, and is '' if there is none.

    It holds whole lines alone; if it is empty though `is_blank` is not true, its first line is too long for it.
    `sep`: what an Excel `sep=` line named, '' if that was nothing, None without such a line. `first_line`: the
    number of the first line after it, which is 1 without one.
    """

    text: str
    line: int
    is_blank: bool
    sep: str | None
    first_line: int


def take_sample(chunks: Iterator[str]) -> Sample:
    """Reads no more chunks than it must. They have plain newlines; the first holds the whole first line, if it fits."""
    text = next(chunks, "")
    given = _SEP_LINE.match(text)
    line = first_line = 2 if given else 1
    text = text[given.end() :] if given else text
    at_end = False
    while True:
        blank = _BLANK_LINES.match(text)
        end = blank.end() if blank else 0
        line += text.count("\n", 0, end)
        text = text[end:]
        is_blank = _ALL_BLANK.fullmatch(text) is not None
        if is_blank:
            # A line that is blank so far, and may be of any length: enough is kept to tell that it is too long.
            text = text[:SAMPLE_CHARACTERS]
        elif len(text) >= SAMPLE_CHARACTERS:
            break
        chunk = next(chunks, "")
        if not chunk:
            at_end = True
            break
        text += chunk
    if not at_end:
        text = text[: text.rfind("\n") + 1]
    if is_blank or len(text.partition("\n")[0]) > SAMPLE_CHARACTERS:
        text = ""
    return Sample(text, line, is_blank, given[1] if given else None, first_line)
